"""The sets and texts that shipped parts are made from: those whose licence allows to ship what was learnt from them."""

QUESTION_SETS = {
    "squad_dev": "CC BY-SA 4.0",
    "squad_sentences": "CC BY-SA 4.0",
    "selqa": "Apache-2.0",
    "pubmedqa": "MIT",
    "cmrc2018": "CC BY-SA 4.0",
    "drcd": "CC BY-SA 3.0",
    "medqa_zh": "MIT",
}
TEXT_SOURCES = (  # of the unlabelled text, those with a licence stated
    "csl_zh oiwiki_zh tidb_zh opensource_zh opensource_en openstax_en handbook_en opensource_guide vue_docs react_docs "
    "d2l apisix_docs dolphinscheduler_docs hf_course tico19 ntrex gnome_help python_docs recipes_zh tldr longevity"
).split()
