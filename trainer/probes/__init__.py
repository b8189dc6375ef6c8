"""Probes: what training must not cost. Figures that a candidate has to hold besides measuring better, one by one.

`texts` reads what is asked, `canaries` plants, `measuring` scores with the model, `judging` decides, `heeding` keeps
what failed from being promoted, `stage` is the part of a run that does all of it. docs/probes.md says it for people.
"""
