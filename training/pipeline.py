"""One command for every recipe: distil → language → head start → lexical (or dense) → model folder."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lexiscope import storage
from lexiscope.clip_tower import ClipTower
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
from lexiscope.training.dense import DenseModel, DenseStage
from lexiscope.training.development import dense_encoder, lexical_encoder, on_development
from lexiscope.training.distil import DistilledTower, DistilStage
from lexiscope.training.distributed import in_turn, leave, rank, wait
from lexiscope.training.distributed import start as join
from lexiscope.training.family_recipe import FamilyRecipe
from lexiscope.training.family_run import run_family
from lexiscope.training.language import LanguageStage, pack, read_texts
from lexiscope.training.lexical import LexicalLoss, LexicalModule, LexicalStage
from lexiscope.training.loop import fit, load_trained
from lexiscope.training.picture_batches import PictureBatches, Seen
from lexiscope.training.recipe import DenseSection, LexicalSection, PictureSection, Recipe, load_recipe
from lexiscope.training.schedules import schedule
from lexiscope.training.speed import tune_for
from lexiscope.training.start import begin_with
from lexiscope.training.teacher import COMPONENTS, TeacherViews, teacher_views
from lexiscope.training.twin import Twin
from lexiscope.vision.tower import Preprocessor, VisionTower
from lexiscope.vocabulary import Vocabulary


def run(
    recipe: Path | str,
    *,
    data: Path | None = None,
    out: Path | None = None,
    resume: bool = False,
    start: Path | str | None = None,
) -> Path:
    """Train what a recipe says.

    Args:
        recipe: a name that `recipes()` lists, or a TOML file.
        data: folder that the recipe's file names are relative to; None is the current folder.
        out: folder for checkpoints, logs and the model; None is `runs/NAME`.
        resume: go on where an earlier run into `out` stopped.
        start: what to begin with. A model (a folder, or `bundled`): its lexicon, towers and heads, and the
            lexical stage alone is trained; for a method of the family, a trained one of the same towers,
            heads and vocabulary. An earlier run's folder: its decoded pictures and its stages
            "distil" and "language", as they are; so a dense twin starts where its lexical model has. None
            trains every stage here.

    Returns:
        The folder of the trained model.

    Raises:
        RecipeError: the recipe is not valid, `out` holds another run, or the loss is no longer a number.
        DatasetError: a data file is missing or does not fit.
    """
    rules = load_recipe(recipe)
    chosen = out or Path("runs") / rules.name
    if isinstance(rules, FamilyRecipe):
        return run_family(rules, data=data or Path(), out=chosen, resume=resume, start=start)
    earlier, model = begin_with(start, rules)
    device = join()
    try:
        return _Run(rules, data or Path(), chosen, resume, device, earlier).all(model)
    finally:
        leave()


_STAGES = ("distil", "language", "head_start", "lexical", "dense_start", "dense")


class _Run:
    """The stages of one recipe in one folder."""

    def __init__(
        self,
        recipe: Recipe,
        data: Path,
        out: Path,
        resume: bool,
        device: torch.device,
        start: Path | None = None,
    ) -> None:
        self.recipe, self.data, self.out, self.resume, self.start = recipe, data, out, resume, start
        self.device = device
        self._seen: Seen | None = None  # the pictures, where batches of them are wanted
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

    def all(self, model: LexicalModel | None) -> Path:
        """Train every stage, or, where there is a model already, the lexical one."""
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(self.recipe.seed)
        pictures = [self.data / name for name in self.recipe.data.pictures]
        with in_turn():
            corpus = open_corpus(pictures, (self.start or self.out) / "cache")
        if self.recipe.dense is not None:
            return self._dense(self.recipe.dense, corpus)
        if model is None:
            model = self._untrained(corpus)
            self._head_start(model, corpus)
        tune_for(model.vision, self.device)
        self._lexical(model.to(self.device), corpus)
        folder = self.out / "model"
        if rank() == 0:
            model.save(folder, card=model_card(self.recipe, self.out))
        wait()
        return folder

    def _untrained(self, corpus: Corpus) -> LexicalModel:
        """The model before its heads have learned: distilled tower, language model, fresh lexicon."""
        vision, to_teacher = self._vision(corpus)
        text, rows = make_text(self.recipe.text, self._language(corpus))
        vocabulary, spoken, literal = self._lexicon(corpus)
        torch.manual_seed(self.recipe.seed)  # whatever stages, and in how many processes, went before
        model = make_model(self.recipe, vocabulary, spoken, vision, text, rows, literal)
        if to_teacher is not None:
            model.vision_head.neck.load_state_dict(to_teacher.state_dict())
        return model.to(self.device)

    def _texts(self) -> list[Path]:
        return [self.data / name for name in self.recipe.data.texts]

    def _captions(self, corpus: Corpus) -> list[str]:
        return [caption for captions in corpus.captions for caption in captions]

    def _vision(self, corpus: Corpus) -> tuple[VisionTower, torch.nn.Module | None]:
        tower = tune_for(make_vision(self.recipe.vision), self.device)
        section = self.recipe.distil
        if section is None:
            return tower, None
        module = DistilledTower(tower, COMPONENTS).to(self.device)
        if self.start is not None:
            load_trained(module, self.start / "distil")
            return tower, module.to_teacher
        pictures = self._pictures(corpus, tower, section)
        stage = DistilStage(module, pictures, batch=section.batch, seed=self.recipe.seed)
        fit(stage, schedule(section), self.out / "distil", device=self.device, resume=self.resume)
        return tower, module.to_teacher

    def _pictures(self, corpus: Corpus, tower: VisionTower, stage: PictureSection) -> PictureBatches:
        if self._seen is None:
            self._seen = Seen(corpus, self._teacher(corpus), self.device)
        return PictureBatches(
            self._seen,
            Preprocessor(tower.config),
            tower.grid,
            smallest=stage.augment.smallest,
            colour=stage.augment.colour,
            keep=stage.keep_patches,
        )

    def _teacher(self, corpus: Corpus) -> TeacherViews | None:
        section = self.recipe.distil
        if section is None:
            return None
        with in_turn():
            return teacher_views(
                corpus,
                self.data / section.teacher,
                views=section.views,
                smallest=section.smallest_view,
                device=self.device,
            )

    def _language(self, corpus: Corpus) -> Path:
        """Train the small language model, where the recipe asks for one; its folder."""
        folder, section = (self.start or self.out) / "language", self.recipe.language
        if self.start is not None:
            if not (folder / "config.json").is_file():
                raise RecipeError(f"{folder}: holds no language model; name a run that has trained one")
            return folder
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
        if rank() == 0:
            folder.mkdir(parents=True, exist_ok=True)
            tokenizer.save_pretrained(folder)
            network.cpu().save_pretrained(folder)  # type: ignore[operator]
        wait()
        return folder

    def _lexicon(self, corpus: Corpus) -> tuple[Vocabulary, list[int], Tensor]:
        """The vocabulary, the ids of the terms that the heads can say, and the literal weights' start."""
        terms, rest = self.out / storage.VOCABULARY, self.out / "lexicon.safetensors"
        with in_turn():
            if rank() == 0 and not (self.resume and rest.exists()):  # written last
                self._write_lexicon(corpus, terms, rest)
        found = load_file(rest)
        return Vocabulary.load(terms), found["spoken"].tolist(), found["literal"]

    def _write_lexicon(self, corpus: Corpus, terms: Path, rest: Path) -> None:
        captions = self._captions(corpus)
        vocabulary, spoken = make_vocabulary(self.recipe, captions, read_texts(self._texts()))
        literal = inverse_document_frequency(vocabulary, [*captions, *read_texts(self._texts())])
        vocabulary.save(terms)
        save_file({"spoken": torch.tensor(spoken), "literal": literal}, rest)

    def _head_start(self, model: LexicalModel, corpus: Corpus) -> None:
        section = self.recipe.head_start
        if section is None:
            return
        seeing = [model.vision, model.vision_head.neck]
        for part in seeing:
            part.requires_grad_(False)
        self._both(model, corpus, section, "head_start", from_teacher=True)
        for part in seeing:
            part.requires_grad_(True)

    def _lexical(self, model: LexicalModel, corpus: Corpus) -> None:
        section = self.recipe.lexical
        if section is None:
            return
        if section.freeze_vision:
            model.vision.requires_grad_(False)
        twin = None
        if section.twin is not None:
            twin = Twin(ClipTower.from_pretrained(section.twin)).to(self.device)
            twin.lend(model.vision, section.twin)
        self._both(model, corpus, section, "lexical", twin=twin)

    def _both(
        self,
        model: LexicalModel,
        corpus: Corpus,
        section: LexicalSection,
        name: str,
        *,
        from_teacher: bool = False,
        twin: Twin | None = None,
    ) -> None:
        """Train both towers, or what of them is not frozen."""
        loss = LexicalLoss(**section.loss.model_dump())
        stage = LexicalStage(
            LexicalModule(model, loss.temperature).to(self.device),
            self._pictures(corpus, model.vision, section),
            loss,
            batch=section.batch,
            seed=self.recipe.seed,
            from_teacher=from_teacher,
            twin=twin,
            evaluate=on_development(self._dev, lexical_encoder),
        )
        fit(stage, schedule(section), self.out / name, device=self.device, resume=self.resume)

    def _dense(self, section: DenseSection, corpus: Corpus) -> Path:
        """Train the dense model, and save it as open_clip does."""
        vision, to_teacher = self._vision(corpus)
        text, _ = make_text(self.recipe.text, self._language(corpus))
        with in_turn():  # open_clip reads what this writes
            model = DenseModel(
                vision, text, width=section.width, temperature=section.temperature, folder=self.out / "model"
            )
        trunk = tune_for(model.network.visual.trunk, self.device)
        for name, part in (("dense_start", self.recipe.dense_start), ("dense", section)):
            if part is None:
                continue
            trunk.requires_grad_(not part.freeze_vision)
            stage = DenseStage(
                model,
                None if part.freeze_vision else to_teacher,
                self._pictures(corpus, vision, part),
                distil_weight=part.distil_weight,
                batch=part.batch,
                seed=self.recipe.seed,
                evaluate=on_development(self._dev, dense_encoder),
            )
            fit(stage, schedule(part), self.out / name, device=self.device, resume=self.resume)
        if rank() == 0:
            model.save(card=model_card(self.recipe, self.out))
        wait()
        return model.folder

    @property
    def _dev(self) -> Path | None:
        dev = self.recipe.data.dev
        return self.data / dev if dev else None
