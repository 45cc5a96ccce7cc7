"""The front door: help, new, doctor, and one clear line for every mistake."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.commands import fails, limakit, one_line, process


def test_the_version_is_that_of_the_package() -> None:
    done = limakit("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"limakit {version('limakit')}\n", "")


def test_help_imports_neither_torch_nor_anything_heavy() -> None:
    code = (
        "import sys; sys.argv = ['limakit', '--help']\n"
        "from limakit.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'pyarrow', 'matplotlib', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    verbs = (
        "new",
        "quickstart",
        "curate",
        "train",
        "choose",
        "generate",
        "judge",
        "report",
        "run",
        "chat",
        "serve",
        "export",
        "plan",
    )
    for verb in (*verbs, "doctor"):
        assert verb in done.stdout


def test_a_small_curation_imports_neither_pandas_nor_statistics(tmp_path: Path) -> None:
    """pandas is no dependency; where others have installed it, parts of Arrow import it: half a second and 40 MB."""
    study = tmp_path / "mine"
    study.mkdir()
    (study / "recipe.toml").write_text(
        '[base]\nmodel = "embedded"\n[curate]\nmin_score = 30\n'
        '[[sources]]\nkind = "stackexchange"\npath = "embedded/kitchen.example"\ngroup = "other"\n'
    )
    code = (
        "import sys; sys.argv = ['limakit', 'curate', sys.argv[1]]\n"
        "from limakit.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'torch', 'sklearn', 'scipy', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (study / "curate" / "train.jsonl").stat().st_size


def test_new_writes_a_recipe_and_never_overwrites_one(tmp_path: Path) -> None:
    study = tmp_path / "mine"
    done = process("new", study, "--recipe", "quickstart")
    assert done.returncode == 0
    assert f"limakit run {study}" in done.stdout
    before = (study / "recipe.toml").read_bytes()
    assert "there is a study here already" in one_line(process("new", study))
    assert (study / "recipe.toml").read_bytes() == before
    assert "Choose one of: ablations, compare, lima, quickstart" in fails("new", tmp_path / "other", "--recipe", "lama")


def test_quickstart_starts_a_study_and_goes_on_with_the_one_that_is_there(tmp_path: Path) -> None:
    from limakit.cli.start import quickstart

    quickstart(tmp_path / "quickstart")
    recipe = tmp_path / "quickstart" / "recipe.toml"
    assert "embedded" in recipe.read_text()
    recipe.write_text("[train]\nepoch = 1\n")
    assert "nearest known name is 'epochs'" in fails("quickstart", tmp_path / "quickstart")


def test_every_command_of_the_makefile_is_one(tmp_path: Path) -> None:
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text()
    called = re.findall(r"\$\(BIN\)/limakit (\w+)", makefile)
    assert called
    for verb in called:
        assert limakit(verb, "--help").returncode == 0, verb


def test_new_for_machines(tmp_path: Path) -> None:
    done = limakit("new", tmp_path / "mine", "--json")
    assert json.loads(done.stdout) == {"recipe": str(tmp_path / "mine" / "recipe.toml")}


def test_mistakes_are_one_line_that_names_the_next_step(tmp_path: Path) -> None:
    assert "limakit new" in one_line(process("run", tmp_path / "nowhere"))
    (tmp_path / "recipe.toml").write_text("[train]\nepoch = 1\n")
    assert "nearest known name is 'epochs'" in fails("run", tmp_path)
    (tmp_path / "recipe.toml").write_text("[train]\nepochs = 'many'\n")
    assert "train.epochs" in fails("run", tmp_path)
    (tmp_path / "recipe.toml").write_text("")
    assert "sources" in fails("run", tmp_path)
    assert "limakit curate" in fails("train", tmp_path)
    assert "limakit curate" in fails("generate", tmp_path)


def test_paths_that_are_no_study_and_names_with_spaces(tmp_path: Path) -> None:
    file, empty, spaced = tmp_path / "recipe.toml", tmp_path / "empty", tmp_path / "my é study"
    file.write_text("")
    assert "is a file. Name the study's folder" in fails("run", file)
    assert "a file is where a folder should be" in fails("new", file / "sub")
    empty.mkdir()
    assert f"limakit new {empty}" in fails("run", empty)
    assert f"limakit run '{spaced}'" in limakit("new", spaced).stdout
    assert f"Run: limakit curate '{spaced}'" in fails("train", spaced)


def test_ctrl_c_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from limakit.__main__ import main
    from limakit.cli import app

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run_stages", stop)
    monkeypatch.setattr(sys, "argv", ["limakit", "train", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == "limakit: stopped. Run the same command again to go on."


def test_a_mistake_for_machines(tmp_path: Path) -> None:
    done = process("run", tmp_path / "nowhere", "--json")
    assert done.returncode == 2
    assert "no such study" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    ("source", "says"),
    [("missing", "missing"), ("empty", "empty"), ("other.xml", "other.xml"), ("recipe.toml", "recipe.toml")],
)
def test_bad_sources_leave_the_study_untouched(tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.xml").write_text('<?xml version="1.0"?><html><p>not a dump</p></html>')
    (tmp_path / "recipe.toml").write_text(f'[[sources]]\nkind = "stackexchange"\npath = "{source}"\n')
    assert says in fails("run", tmp_path)
    assert not (tmp_path / "curate").exists()


def test_missing_base_model(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        '[base]\nmodel = "./no-model"\n[[sources]]\nkind = "stackexchange"\npath = "embedded"\n'
        '[curate]\ntest_prompts = "embedded"\n'
    )
    done = limakit("curate", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no-model" in fails("train", tmp_path)
    assert "limakit train" in fails("generate", tmp_path)
    assert "limakit generate" in fails("judge", tmp_path)
    assert (tmp_path / "curate" / "train.jsonl").exists()


def test_curation_that_comes_to_little_says_where_to_look(tmp_path: Path) -> None:
    source = '[[sources]]\nkind = "stackexchange"\npath = "embedded"\ngroup = "other"\n'
    (tmp_path / "recipe.toml").write_text(f"{source}[curate]\nquotas = {{ other = 2000 }}\n")
    done = limakit("curate", tmp_path)
    assert "of the 2,000 examples that the quotas allow" in done.stderr + done.stdout, done.stderr
    assert "curate.min_score" in done.stderr + done.stdout
    (tmp_path / "recipe.toml").write_text(f"{source}[curate]\nquotas = {{ other = 20 }}\n")
    assert "quotas allow" not in limakit("curate", tmp_path).stderr


def test_doctor_names_every_check(tmp_path: Path) -> None:
    done = limakit("doctor", "--json")
    checks = {c["name"]: c for c in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    assert {
        "python",
        "torch",
        "transformers",
        "7z archives",
        "embedded base model",
        "gpu",
        "model server",
        "GGUF converter",
    } <= set(checks)
    assert "limakit new" in limakit("doctor", tmp_path / "none").stdout


def test_export_and_forget_from_the_command_line(tmp_path: Path) -> None:
    line = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}
    (tmp_path / "ours.jsonl").write_text(json.dumps({**line, "author": "Ada"}) + "\n")
    source = '[[sources]]\nkind = "authored"\npath = "ours.jsonl"\nlicence = "CC BY 4.0"\n'
    (tmp_path / "recipe.toml").write_text(source)
    assert "limakit curate" in fails("export", tmp_path, "--to", tmp_path / "out")
    assert limakit("curate", tmp_path).returncode == 0
    done = limakit("export", tmp_path, "--to", tmp_path / "out", "--format", "alpaca")
    assert "1 examples as alpaca" in done.stdout, done.stderr
    assert json.loads((tmp_path / "out" / "train.jsonl").read_text())["output"] == "So."
    done = limakit("forget", tmp_path, "--author", "ada", "--json")
    assert json.loads(done.stdout)["gone"] == {"train": 1}, done.stderr
    assert (tmp_path / "curate" / "train.jsonl").read_text() == ""


def test_doctor_of_a_comparison_names_the_files_and_needs_no_torch(tmp_path: Path) -> None:
    from limakit.cli import checkup

    assert limakit("new", tmp_path, "--recipe", "compare").returncode == 0
    done = limakit("doctor", tmp_path)
    assert done.returncode == 1
    assert f"✗ system ours: {tmp_path}/ours.jsonl does not exist" in done.stdout
    (absent,) = [checkup._package("no-such-package", "training", "limakit[train]", needed=False)]
    assert absent.state == "note"


def test_doctor_names_a_judges_key_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        '[[judges]]\nname = "j"\nbase_url = "http://h"\nmodel = "m"\nkey_env = "LIMAKIT_TEST_NO_KEY"\n'
        "input_price = 1\noutput_price = 1\nbudget = 1\n"
    )
    assert "judge j: LIMAKIT_TEST_NO_KEY is not in the environment" in limakit("doctor", tmp_path).stdout
