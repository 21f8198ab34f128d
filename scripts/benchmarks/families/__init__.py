"""How each family of rows is measured; the table is in `table`."""
