"""Choose a setting on questions of one's own: how deep, which rerankers, how many passages, from which score on."""
