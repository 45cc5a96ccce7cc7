import fcntl
from pathlib import Path

import pytest

from limakit.errors import StudyError
from limakit.store import files
from limakit.store.study import Study, Work, code_digest


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "in.txt").write_text("one")
    return Study(tmp_path)


def begin(study: Study, **settings: object) -> Work:
    return study.begin("curate", settings=settings, inputs={"in": study.path("in.txt")}, code=["records.py"])


def finish(study: Study, text: str = "out", **settings: object) -> Work:
    work = begin(study, **settings)
    files.publish_text(work.path("out.txt"), text)
    work.publish({"rows": 1})
    return work


def test_unchanged_stage_is_done(study: Study) -> None:
    finish(study, a=1)
    again = begin(study, a=1)
    assert again.done
    assert again.manifest["counts"] == {"rows": 1}
    assert not (study.root / ".work").exists() or not list((study.root / ".work").iterdir())


def test_changed_setting_input_or_output_reruns(study: Study) -> None:
    finish(study, a=1)
    assert not begin(study, a=2).done
    study.path("in.txt").write_text("two")
    assert not begin(study, a=1).done
    study.path("in.txt").write_text("one")
    assert begin(study, a=1).done
    study.path("curate", "out.txt").unlink()
    assert not begin(study, a=1).done


def test_old_result_stays_until_the_new_one_is_whole(study: Study) -> None:
    finish(study, "old", a=1)
    work = begin(study, a=2)
    files.publish_text(work.path("out.txt"), "half")
    assert study.path("curate", "out.txt").read_text() == "old"
    work.publish({})
    assert study.path("curate", "out.txt").read_text() == "half"


def test_killed_work_is_found_again(study: Study) -> None:
    work = begin(study, a=1)
    files.publish_text(work.path("part"), "kept")
    assert begin(study, a=1).path("part").read_text() == "kept"


@pytest.mark.parametrize("step", [0, 1])
def test_kill_between_the_renames_of_the_swap(study: Study, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    finish(study, "old", a=1)
    work = begin(study, a=2)
    files.publish_text(work.path("out.txt"), "new")
    renames = iter(range(9))
    real = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.suffix != ".tmp" and next(renames) == step:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            work.publish({})
    assert begin(study, a=2).done
    assert study.path("curate", "out.txt").read_text() == "new"


def test_kill_in_the_swap_and_then_another_recipe_keeps_a_result(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(study, "old", a=1)
    work = begin(study, a=2)
    files.publish_text(work.path("out.txt"), "new")
    real, seen = Path.rename, []

    def killed(self: Path, target: Path) -> Path:
        seen.append(self)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            work.publish({})
    begin(study, a=3)
    assert study.path("curate", "out.txt").read_text() == "old"


def test_leftover_temporary_files_are_not_published(study: Study) -> None:
    work = begin(study)
    work.path(".out.txt.tmp").write_text("half")
    files.publish_text(work.path("out.txt"), "whole")
    assert list(work.publish({})["outputs"]) == ["out.txt"]
    assert sorted(p.name for p in work.final.iterdir()) == ["manifest.json", "out.txt"]


def test_second_process_is_told(study: Study) -> None:
    with study.lock():
        with open(study.root / ".lock", "a+b") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(StudyError, match="another limakit"), study.lock():
            pass
    with study.lock():
        pass


def test_fingerprint_does_not_depend_on_where_the_study_lies(tmp_path: Path) -> None:
    prints = set()
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "in.txt").write_text("one")
        prints.add(begin(Study(folder), a=1).fingerprint)
    assert len(prints) == 1


def test_code_digest_sees_a_module_and_a_package() -> None:
    assert code_digest(["records.py"]) != code_digest(["store"])


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="limakit new"):
        _ = Study(tmp_path / "none").recipe


def test_a_stage_leaves_the_unfinished_work_of_one_whose_name_begins_alike(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    study = Study(tmp_path)
    other = study.begin("generate/tuned-2", settings={}, inputs={}, code=[])
    old = study.begin("generate/tuned", settings={"seed": 1}, inputs={}, code=[])
    study.begin("generate/tuned", settings={}, inputs={}, code=[])
    assert other.folder.exists()
    assert not old.folder.exists()
