"""Everything that knows Chinese from English: folding, language, sentences, terms, lengths."""
