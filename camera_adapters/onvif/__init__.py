"""ONVIF, as much of it as is needed: a camera's time, and where its pictures are.

Four requests by hand instead of a library: the maintained one (onvif-zeep-async) brings 25 packages, 31 MB of memory and a
second of start for each process that watches cameras, and speaks asyncio, while a camera here is read by a thread.
"""
