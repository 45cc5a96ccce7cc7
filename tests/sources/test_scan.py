"""What one split is found to hold does not depend on which way its rows are read."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.sources.stackexchange.rows import unescape
from limakit.sources.stackexchange.scan import KEEP, UNJUDGED, Reason, Scanned, scan
from limakit.sources.stackexchange.split import Split
from tests.sources.dumps import row

POSTS = st.lists(
    st.fixed_dictionaries(
        {"Id": st.integers(1, 60), "PostTypeId": st.sampled_from([1, 1, 2, 2, 2, 4, 7]), "ParentId": st.integers(1, 60),
         "CreationDate": st.just("2015-01-27T20:09:32.720"), "Score": st.integers(-2, 4), "Body": st.sampled_from("ab")}
    )
)  # fmt: skip


class OnlyA:
    """Keeps answers that say no more than a."""

    min_score = 2

    def judge(self, html: str) -> Reason | None:
        return None if html == "a" else ("body", html)

    def judge_escaped(self, bodies: Sequence[bytes]) -> list[Reason | None]:
        return [self.judge(unescape(body.decode())) for body in bodies]


def told(path: Path, lines: list[str]) -> Scanned:
    path.write_text("\n".join(["<posts>", *lines, "</posts>"]))
    return scan(Split(0, str(path), 0, path.stat().st_size), OnlyA())  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scan") / "Posts.xml"


@given(POSTS)
def test_rows_in_the_usual_and_in_another_order_are_told_alike(path: Path, posts: list[dict]) -> None:
    for post in posts:
        if post["PostTypeId"] != 2:
            del post["ParentId"]
    fast, slow = (
        told(path, [row(dict(some)) for some in lines])
        for lines in ([post.items() for post in posts], [reversed(post.items()) for post in posts])
    )
    answers = [post for post in posts if post["PostTypeId"] == 2]
    questions = [post["Id"] for post in posts if post["PostTypeId"] == 1]
    high = [post for post in answers if post["Score"] >= 2]
    for found in fast, slow:
        assert (found.quarantine, found.fabricated) == ([], [])
        assert (found.answers, found.questions) == (len(answers), len(questions))
        assert found.others == len(posts) - len(answers) - len(questions)
        assert list(zip(found.low_ids, found.low_scores, strict=True)) == [
            (post["Id"], post["Score"]) for post in answers if post["Score"] < 2
        ]
        assert list(zip(found.ids, found.parents, found.scores, strict=True)) == [
            (post["Id"], post["ParentId"], post["Score"]) for post in high
        ]
        assert [at >= 0 for at in found.asked] == [post["ParentId"] in questions for post in high]
        assert found.lowest_question == min(questions, default=1 << 62)
        assert found.highest_question == max(questions, default=-1)
        for post, against in zip(high, found.against, strict=True):
            assert against in (UNJUDGED, KEEP if post["Body"] == "a" else 0)
    assert fast.against == slow.against
