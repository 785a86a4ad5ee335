"""The page: Gradio's components as its frame; what is found is drawn by `static/page.js` from the API."""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI

__all__ = ["mount"]

_HEAD = '<link rel="stylesheet" href="/page/page.css"><script type="module" src="/page/page.js"></script>'
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_TITLE = """<header class="lx-head"><h1>lexiscope</h1><p>Pictures and podcast moments, found by the words they
are made of. <span id="lx-count"></span> <a href="/docs">API</a></p></header>"""
_RESULTS = """<div id="lx-chips" role="group" aria-label="Words of the question"></div>
<div id="lx-status" role="status" aria-live="polite"></div>
<div id="lx-results"></div>"""
_ADD = """<div class="lx-add"><label id="lx-drop" tabindex="0"><input id="lx-files" type="file"
multiple>
<strong>Drop pictures or transcripts here</strong>
<span>or click to choose: any picture format, vtt, srt, txt, json</span></label>
<progress id="lx-progress" hidden></progress>
<p id="lx-added" role="status" aria-live="polite"></p>
<ul id="lx-list"></ul></div>"""


def mount(app: FastAPI, request_bytes: int) -> FastAPI:
    """Put the page at `/` of an application."""
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        _blocks(),
        path="/",
        theme=_theme(),
        head=_HEAD,
        footer_links=[],
        ssr_mode=False,
        run_history=False,
        max_file_size=request_bytes,
    )
    return mounted


def _theme() -> gr.themes.Base:
    """Fonts of the reader's machine (nothing is fetched), quiet labels."""
    theme = gr.themes.Soft(primary_hue="indigo", font=_FONTS, font_mono=["ui-monospace", "monospace"])
    return theme.set(
        block_title_background_fill="transparent",
        block_title_background_fill_dark="transparent",
        block_title_padding="0",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_color_dark="*body_text_color_subdued",
        block_title_text_weight="500",
    )


def _blocks() -> gr.Blocks:
    blocks: gr.Blocks = gr.Blocks(title="lexiscope", analytics_enabled=False, delete_cache=(3600, 3600))
    with blocks:
        gr.HTML(_TITLE, apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("Search"):
                _search_tab()
            with gr.Tab("Add"):
                gr.HTML(_ADD, apply_default_css=False)
    return blocks


def _search_tab() -> None:
    with gr.Row(equal_height=False, elem_id="lx-ask"):
        with gr.Column(scale=4, min_width=280):
            gr.Textbox(
                label="Look for",
                placeholder="a dog on the beach   (-people leaves out what has people)",
                elem_id="lx-text",
                interactive=True,
                show_label=False,
                container=False,
                autofocus=True,
                max_length=200_000,
            )
            with gr.Row(elem_id="lx-options"):
                gr.Radio(
                    [("Everything", ""), ("Pictures", "image"), ("Chapters", "chapter")],
                    value="",
                    label="Show",
                    elem_id="lx-kind",
                    interactive=True,
                    min_width=345,
                    scale=2,
                )
                gr.Slider(
                    4, 48, 12, step=4, label="At most", elem_id="lx-most", interactive=True, min_width=150
                )
                gr.Slider(
                    0,
                    1,
                    0.5,
                    step=0.05,
                    label="Picture ↔ words",
                    elem_id="lx-balance",
                    interactive=True,
                    min_width=150,
                )
        with gr.Column(scale=1, min_width=220):
            gr.Image(
                label="…or like this picture",
                show_label=False,
                placeholder="or drop a picture",
                sources=["upload", "clipboard", "webcam"],
                type="filepath",
                height=150,
                elem_id="lx-image",
                interactive=True,
                buttons=[],
            )
    gr.HTML(_RESULTS, apply_default_css=False)
