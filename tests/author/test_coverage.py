"""Coverage: what is near a new prompt, and where few examples are."""

from limakit.author.coverage import Coverage
from limakit.curate.tfidf import Weights
from limakit.curate.words import hashed

PROMPTS = {
    "bread/1": "How long should sourdough bread rise before baking?",
    "bread/2": "Why does my sourdough bread not rise?",
    "bread/3": "Which flour is best for sourdough bread?",
    "bike/1": "How do I patch a punctured bicycle tyre?",
}
REGIONS = {"bread/1": 0, "bread/2": 0, "bread/3": 0, "bike/1": 1}


def coverage() -> Coverage:
    weights = Weights(list(PROMPTS.values()))
    return Coverage(
        PROMPTS,
        lambda texts: weights.rows(hashed(texts)),
        regions=REGIONS,
        labels=["sourdough, flour", "bicycle, tyre"],
        asked={1: 3},
    )


def test_the_nearest_prompts_come_first_and_the_text_itself_is_left_out():
    near = coverage().nearest("Why will my sourdough bread not rise?")
    assert near[0].id == "bread/2"
    assert near[0].close
    assert near[0].cosine > near[1].cosine
    assert coverage().nearest(PROMPTS["bread/2"], without="bread/2")[0].id != "bread/2"
    drafts = {"d1": "Will sourdough bread not rise?", "d2": "Zebras?"}
    both = coverage().nearest("Why will my sourdough bread not rise?", others=drafts)
    assert [one.id for one in both][:2] == ["d1", "bread/2"]
    assert coverage().nearest("  ") == []
    assert coverage().nearest("zygote") == []


def test_topics_are_thin_where_dev_asks_more_than_train_has_and_drafts_fill_them():
    known = coverage()
    assert known.topic("My bicycle has a punctured tyre") == "bicycle, tyre"
    assert known.topic("zygote") is None
    thin = known.thin()
    assert [(topic.words, topic.examples, topic.asked) for topic in thin] == [
        ("bicycle, tyre", 1, 3),
        ("sourdough, flour", 3, 0),
    ]
    drafts = {f"d{at}": "How do I change a bicycle tyre?" for at in range(20)}
    assert [topic.words for topic in known.thin(drafts)] == ["sourdough, flour", "bicycle, tyre"]


def test_nothing_known_is_no_error():
    empty = Coverage({}, lambda texts: None)
    assert (empty.nearest("Why?"), empty.thin(), empty.topic("Why?")) == ([], [], None)
