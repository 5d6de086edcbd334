"""Looking into the results of `robovalue value estimate`: clusters, denoisers, centres."""
