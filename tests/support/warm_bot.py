"""What a server that forks bots imports first, so that each is ready as soon as it is forked. Opens nothing."""

import gc
import inspect

import httpcore2
import psycopg

import bot.app
import db.models
import tests.support.bot_process

__all__ = ["bot", "db", "httpcore2", "psycopg", "tests"]

inspect.stack()  # slack_bolt asks for it in every app; the first time it looks up the file of every module there is
gc.freeze()
