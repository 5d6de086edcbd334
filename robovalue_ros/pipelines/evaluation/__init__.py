"""How good are the values? Truth from recordings, controls that must fail, one table, a verdict."""
