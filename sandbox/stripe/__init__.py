"""A local Stripe: what a laptop without a Stripe account talks to through the official SDK.

A process of its own (`python -m sandbox.stripe`). It answers the calls a shop makes to take a card payment
on a hosted page, in Stripe's shapes and with Stripe's errors, and delivers signed webhooks as Stripe does.
"""
