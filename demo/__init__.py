"""The page in the browser (Gradio) and the HTTP API (FastAPI) beside it, on one server.

Imported by the `demo` command alone; `import lexiscope` loads none of it.
"""
