"""Every verdict from its evidence alone: judging.py recomputes it and states it in plain English.

Evidence is a JSON object whose `rule` names how it is judged. Nothing here reads the store: every number in a sentence
is in the evidence, so any verdict can be recomputed from the API's answer.
"""
