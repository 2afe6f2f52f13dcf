#!/usr/bin/env python3
"""A proxy of a PostgreSQL server that loses connections at their commits.

lost_commits.py DIRECTORY TARGET PORT: listens on DIRECTORY/.s.PGSQL.PORT and forwards to TARGET/.s.PGSQL.PORT. Prints
READY; ends with its standard input. Each line of the input is how the next commit is lost; LOST is printed then.
  before   the connection ends before the server gets the commit
  after    the server commits, and the connection ends before the answer
  slow     the client loses the connection at once; the server gets the commit half a second later
"""
import asyncio, os, sys

directory, target, port = sys.argv[1:]
losses: list[str] = []


async def serve(reader, writer):
    server_reader, server_writer = await asyncio.open_unix_connection(f"{target}/.s.PGSQL.{port}")
    loss = None

    async def forward_answers():
        while data := await server_reader.read(65536):
            if loss == "after" and b"COMMIT\0" in data:
                break
            if loss != "slow":
                writer.write(data)
                await writer.drain()
        writer.close()

    answers = asyncio.create_task(forward_answers())
    try:
        while data := await reader.read(1 << 20):
            if loss is None and b"COMMIT\0" in data and losses:
                loss = losses.pop(0)
                print("LOST", flush=True)
                if loss == "before":
                    break
                if loss == "slow":
                    writer.close()
                    await asyncio.sleep(0.5)
            server_writer.write(data)
            await server_writer.drain()
            if loss == "slow":
                await asyncio.sleep(0.5)
                break
    except (ConnectionError, OSError, asyncio.CancelledError):
        pass
    if loss != "after":
        server_writer.close()
        writer.close()
        answers.cancel()


async def main():
    await asyncio.start_unix_server(serve, f"{directory}/.s.PGSQL.{port}")
    print("READY", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        losses.append(line.decode().strip())
        print("ARMED", flush=True)


asyncio.run(main())
os._exit(0)
