"""The index on disk: chunks in a store, documents in a catalogue, a manifest that says how it was built."""
