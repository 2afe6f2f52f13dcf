#!/usr/bin/env python3
"""A fast SMTP server on loopback that accepts and counts mail, for tests that kill processes.

sink.py LOG DEFER DROP DELAY

Prints its port. For each accepted mail a line "BEGAN ADDRESS" is appended to LOG before the reply, with the Unix time
in milliseconds of its MAIL command. Of a thousand mails, DEFER are answered 451, and DROP are accepted without a reply
before the connection is closed. The final reply follows after a random delay of up to DELAY seconds; if DELAY is 9 or
more, never. If it is 1 or more, a line "received" is printed for each complete mail. Ends with its input.
"""
import asyncio, os, random, sys, time

log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
defer, drop, delay = int(sys.argv[2]) / 1000, int(sys.argv[3]) / 1000, float(sys.argv[4])


async def session(reader, writer):
    def say(line):
        writer.write(line + b"\r\n")

    began, address = 0, ""

    async def taken():
        if delay >= 1:
            print("received", flush=True)
        # A delayed reply, so that kills interrupt mails in flight.
        await asyncio.sleep(random.random() * delay if delay < 9 else 600)
        os.write(log, f"{began} {address}\n".encode())
        if random.random() < drop:
            raise EOFError
        say(b"250 2.0.0 taken")

    try:
        say(b"220 sink.test ESMTP")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                say(b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING")
            elif verb == b"MAIL":
                began, address = int(time.time() * 1000), ""
                if random.random() < defer:
                    began = 0
                say(b"250 2.1.0 ok" if began else b"451 4.3.0 later")
            elif verb == b"RCPT":
                if began:
                    address = line.split(b"<")[1].split(b">")[0].decode()
                say(b"250 2.1.5 ok" if began else b"503 5.5.1 MAIL first")
            elif verb == b"BDAT":
                await reader.readexactly(int(line.split()[1]))
                if address:
                    await taken()
                else:
                    say(b"503 5.5.1 MAIL first")
                began, address = 0, ""
            elif verb == b"DATA":
                if address:
                    say(b"354 go ahead")
                    await writer.drain()
                    await reader.readuntil(b"\r\n.\r\n")
                    await taken()
                else:
                    say(b"503 5.5.1 MAIL first")
                began, address = 0, ""
            elif verb == b"QUIT":
                say(b"221 2.0.0 bye")
                break
            else:
                say(b"250 2.0.0 ok")
            await writer.drain()
    except (EOFError, OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(session, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
os._exit(0)
