"""Neural networks that read query and passage: names, profiles, engines; numpy in and out."""
