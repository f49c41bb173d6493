"""Raw files as they are delivered: which belong to a source, how each format is read, numbers, dates and spellings."""
