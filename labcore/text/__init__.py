"""Text: tokenizers, the bilingual micro-world whose entropy is known, natural corpora, masking."""
