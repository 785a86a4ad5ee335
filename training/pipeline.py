"""One command for every recipe: vocabulary → distil → language → lexical → model folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lexiscope import storage
from lexiscope.errors import DatasetError, RecipeError
from lexiscope.model import LexicalModel
from lexiscope.training.assemble import (
    inverse_document_frequency,
    make_language_model,
    make_model,
    make_text,
    make_vision,
    make_vocabulary,
)
from lexiscope.training.card import model_card
from lexiscope.training.corpus import Corpus, open_corpus
from lexiscope.training.distil import DistilledTower, DistilStage, PictureBatches
from lexiscope.training.language import LanguageStage, pack, read_texts
from lexiscope.training.lexical import LexicalLoss, LexicalModule, LexicalStage
from lexiscope.training.loop import Schedule, fit
from lexiscope.training.recipe import AugmentSection, Recipe, ScheduleSection, load_recipe
from lexiscope.training.teacher import COMPONENTS, teacher_maps
from lexiscope.vision.tower import Preprocessor, VisionTower
from lexiscope.vocabulary import Vocabulary


def run(
    recipe: Path | str,
    *,
    data: Path | None = None,
    out: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train what a recipe says.

    Args:
        recipe: a name that `recipes()` lists, or a TOML file.
        data: folder that the recipe's file names are relative to; None is the current folder.
        out: folder for checkpoints, logs and the model; None is `runs/NAME`.
        resume: go on where an earlier run into `out` stopped.

    Returns:
        The folder of the trained model.

    Raises:
        RecipeError: the recipe is not valid, `out` holds another run, or the loss is no longer a number.
        DatasetError: a data file is missing or does not fit.
    """
    rules = load_recipe(recipe)
    return _Run(rules, data or Path(), out or Path("runs") / rules.name, resume).all()


_STAGES = ("distil", "language", "lexical")


class _Run:
    """The stages of one recipe in one folder."""

    def __init__(self, recipe: Recipe, data: Path, out: Path, resume: bool) -> None:
        self.recipe, self.data, self.out, self.resume = recipe, data, out, resume
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        missing = [
            name for name in [*recipe.data.pictures, *recipe.data.texts] if not (data / name).is_file()
        ]
        if missing:
            raise DatasetError(
                f"{data / missing[0]}: no such file; name the folder that holds it with --data"
            )

        begun = [stage for stage in _STAGES if (out / stage / "checkpoint").exists()]
        if begun and not resume:
            raise RecipeError(f"{out}: holds an earlier run; go on with it (--resume), or name another --out")

    def all(self) -> Path:
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(self.recipe.seed)
        corpus = open_corpus([self.data / name for name in self.recipe.data.pictures], self.out / "cache")
        vision, to_teacher = self._vision(corpus)
        language = self._language(corpus)
        model = self._model(corpus, vision, language)
        self._lexical(model, to_teacher, corpus)
        folder = self.out / "model"
        model.save(folder, card=model_card(self.recipe, self.out))
        return folder

    def _texts(self) -> list[Path]:
        return [self.data / name for name in self.recipe.data.texts]

    def _captions(self, corpus: Corpus) -> list[str]:
        return [caption for captions in corpus.captions for caption in captions]

    def _vision(self, corpus: Corpus) -> tuple[VisionTower, torch.nn.Linear | None]:
        tower = make_vision(self.recipe.vision).to(self.device)
        section = self.recipe.distil
        if section is None:
            return tower, None
        module = DistilledTower(tower, COMPONENTS).to(self.device)
        pictures = self._pictures(corpus, tower, section.augment)
        stage = DistilStage(module, pictures, batch=section.batch, seed=self.recipe.seed)
        fit(stage, schedule(section), self.out / "distil", device=self.device, resume=self.resume)
        return tower, module.to_teacher

    def _pictures(self, corpus: Corpus, tower: VisionTower, augment: AugmentSection) -> PictureBatches:
        section = self.recipe.distil
        maps = teacher_maps(corpus, self.data / section.teacher) if section is not None else None
        return PictureBatches(
            corpus,
            maps,
            Preprocessor(tower.config),
            tower.grid,
            smallest=augment.smallest,
            colour=augment.colour,
            device=self.device,
        )

    def _language(self, corpus: Corpus) -> Path:
        """Train the small language model, where the recipe asks for one; its folder."""
        folder, section = self.out / "language", self.recipe.language
        if self.recipe.text.pretrained is not None or (self.resume and (folder / "config.json").exists()):
            return folder
        texts = [*self._captions(corpus), *read_texts(self._texts())]
        tokenizer, network = make_language_model(self.recipe.text, texts)
        if section is not None:
            order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(self.recipe.seed))
            rows = pack([texts[i] for i in order.tolist()], tokenizer, section.length)
            held_out = min(64, len(rows) // 10)
            stage = LanguageStage(
                network.to(self.device),
                rows[held_out:],
                rows[:held_out],
                batch=section.batch,
                seed=self.recipe.seed,
                device=self.device,
            )
            fit(stage, schedule(section), folder, device=self.device, resume=self.resume)
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
        network.cpu().save_pretrained(folder)  # type: ignore[operator]
        return folder

    def _model(self, corpus: Corpus, vision: VisionTower, language: Path) -> LexicalModel:
        vocabulary, spoken, literal = self._lexicon(corpus)
        text, rows = make_text(self.recipe.text, language)
        return make_model(self.recipe, vocabulary, spoken, vision, text, rows, literal).to(self.device)

    def _lexicon(self, corpus: Corpus) -> tuple[Vocabulary, list[int], Tensor]:
        """The vocabulary, the ids of the terms that the heads can say, and the literal weights' start."""
        terms, rest = self.out / storage.VOCABULARY, self.out / "lexicon.safetensors"
        if not (self.resume and rest.exists()):  # written last
            captions = self._captions(corpus)
            vocabulary, spoken = make_vocabulary(self.recipe, captions, read_texts(self._texts()))
            literal = inverse_document_frequency(vocabulary, [*captions, *read_texts(self._texts())])
            vocabulary.save(terms)
            save_file({"spoken": torch.tensor(spoken), "literal": literal}, rest)
        found = load_file(rest)
        return Vocabulary.load(terms), found["spoken"].tolist(), found["literal"]

    def _lexical(self, model: LexicalModel, to_teacher: torch.nn.Linear | None, corpus: Corpus) -> None:
        section = self.recipe.lexical
        loss = LexicalLoss(**section.loss.model_dump())
        module = LexicalModule(model, to_teacher, loss.temperature).to(self.device)
        if section.freeze_vision:
            model.vision.requires_grad_(False)
        dev = self.recipe.data.dev
        stage = LexicalStage(
            module,
            self._pictures(corpus, model.vision, section.augment),
            loss,
            batch=section.batch,
            seed=self.recipe.seed,
            evaluate=_development(self.data / dev) if dev and (self.data / dev).is_file() else None,
        )
        fit(stage, schedule(section), self.out / "lexical", device=self.device, resume=self.resume)


def schedule(section: ScheduleSection) -> Schedule:
    """The loop's schedule of a recipe's section."""
    values = section.model_dump()
    return Schedule(**{f.name: values[f.name] for f in fields(Schedule) if f.name in values})


def _development(file: Path) -> Callable[[LexicalModel], dict[str, float]]:
    """An evaluation on captioned pictures, in the figures of `lexiscope evaluate retrieval`."""
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.evaluation import evaluate_retrieval, open_dataset

    dataset = open_dataset(file)

    def evaluate(model: LexicalModel) -> dict[str, float]:
        device = str(next(model.parameters()).device)
        report = evaluate_retrieval(dataset, LexicalEncoder(model, device=device), show_progress_bar=False)
        rates = {f"t2i {name}": value for name, value in report["text_to_image"].items()}
        rates |= {f"i2t {name}": value for name, value in report["image_to_text"].items()}
        return rates | {f"words {name}": value for name, value in report["active_dims"].items()}

    return evaluate
