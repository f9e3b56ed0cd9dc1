"""Files, folders and web pages to documents."""
