#!/usr/bin/env python3
"""Runs a program with default signal handlers, in a terminal or not.

  terminal.py pipe PROGRAM ARGUMENT …       as it is
  terminal.py terminal PROGRAM ARGUMENT …   standard input and error are a terminal; standard input is typed there,
                                            and its output goes to standard error

Exits with the program's status, or with 200 plus its signal number. If the program left the terminal in another state,
the last line says so.
"""
import os, pty, select, signal, sys, termios

kind, command = sys.argv[1], sys.argv[2:]
signal.pthread_sigmask(signal.SIG_SETMASK, [])
for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
# A program that hangs is killed.
PATIENCE = int(os.environ.pop("PABAL_TEST_PATIENCE", "60"))
if kind == "pipe":
    signal.alarm(PATIENCE)
    os.execv(command[0], command)

controller, program_side = pty.openpty()
before = termios.tcgetattr(program_side)
child = os.fork()
if child == 0:
    signal.alarm(PATIENCE)
    os.setsid()
    os.dup2(program_side, 0)
    os.dup2(program_side, 2)
    os.close(controller)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execv(command[0], command)

typing = True
while True:
    ready, _, _ = select.select([controller] + ([0] if typing else []), [], [], 0.05)
    if controller in ready:
        os.write(2, os.read(controller, 4096))
        continue
    if 0 in ready:
        content = os.read(0, 4096)
        typing = bool(content)
        os.write(controller, content)
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
while select.select([controller], [], [], 0)[0]:
    os.write(2, os.read(controller, 4096))
if termios.tcgetattr(program_side) != before:
    os.write(2, b"THE TERMINAL IS ANOTHER\n")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 200 - code)
