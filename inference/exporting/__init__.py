"""Export: file formats, numerical check of the written file, facts of its model card."""
