"""Simulated shoppers: they buy as many people would, through the pages that everybody sees.

They know the shop and the local Stripe by their addresses and HTML only, and pay with test numbers.
"""
