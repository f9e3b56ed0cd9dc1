"""Train the tokenizer of the tiny language models once, on the sentences of the tests and on the templates' words.

    python -m tests.golden.make_causal_tokenizer

It wrote ``causal_tokenizer.json``; the golden numbers belong to that file, so it is kept and not trained anew.
"""

from tests.models.tiny_causal import TOKENIZER, VOCABULARY
from tests.models.tiny_models import SENTENCES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from secondpass.models.causal_templates import CAUSAL_TEMPLATES

SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>")


def main() -> None:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    templates = [piece for form in CAUSAL_TEMPLATES.values() for piece in (*form.before, form.passage, *form.after)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*SENTENCES * 3, *templates, "Yes yes no 0 1"], trainer)
    tokenizer.save(str(TOKENIZER), pretty=False)


if __name__ == "__main__":
    main()
