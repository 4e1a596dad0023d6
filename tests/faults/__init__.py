"""Faults in the running stack, and a checker that knows nothing of its code but the database and the pages.

What is promised stands in promises.py. Read run.py first; world.py is what is hurt, troubles/ how,
people.py who is there meanwhile, post.py brings the webhooks, and watching.py and checker.py judge.
"""
