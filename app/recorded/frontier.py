"""The recordings of chapter 5, applications and frontier."""

from functools import partial

from app.recorded.entry import Entry
from labcore.events import drain
from labcore.frontier import calling, calling_study, learn_to_call, tool_loop
from labcore.guard import injection, marked_text, study
from labcore.reasoning import cost_study, search24_study, think, think_study
from labcore.retrieval import agent_study, answering_study, finding_study, long_study
from labcore.vision import pair_study, pair_training, reader_study, reader_training

ENTRIES: tuple[Entry, ...] = (
    Entry("multimodal", "pairs", lambda: drain(pair_training.learn(pair_training.PairConfig())), 0),
    Entry("multimodal", "study", pair_study.study, 0),
    Entry(
        "multimodal",
        "reader",
        lambda: drain(reader_training.learn(reader_training.ReaderConfig())),
        0,
    ),
    Entry("multimodal", "modes", reader_study.study, 0),
    Entry("reasoning", "think", lambda: drain(think.learn(think.ThinkConfig())), 0),
    Entry("reasoning", "lengths", think_study.study, 0),
    *(
        Entry("reasoning", f"votes-{name}", partial(cost_study.curves, *case), 0)
        for name, case in cost_study.CASES.items()
    ),
    Entry("reasoning", "steps", cost_study.steps, 0),
    Entry("reasoning", "search24", search24_study.study, 0),
    Entry("tools", "call", lambda: calling.run(calling.CallingConfig()), 0),
    Entry("tools", "count", calling_study.study, 0),
    Entry("tools", "learnt", lambda: drain(learn_to_call.learn(learn_to_call.LearnConfig())), 0),
    Entry("tools", "learn", learn_to_call.study, 0),
    Entry("tools", "loop", tool_loop.study, 5),
    Entry("retrieval", "finding", finding_study.study, 0),
    Entry("retrieval", "answering", answering_study.study, 0),
    Entry("retrieval", "long", long_study.study, 0),
    Entry("retrieval", "agent", agent_study.study, 0),
    *(
        Entry("guard", f"study-{language}", partial(study.several, study.StudyConfig(language)), 0)
        for language in study.LANGUAGES
    ),
    Entry("guard", "injection", injection.study, 0),
    Entry("guard", "marks", marked_text.study, 0),
    Entry("guard", "marks-smollm2", lambda: drain(marked_text.mark_texts(marked_text.SMOLLM2)), 0),
)
