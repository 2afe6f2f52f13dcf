#!/usr/bin/env python3
"""Runs a program with every signal heard, in a terminal or not.

  terminal.py pipe PROGRAM ARGUMENT …       as it is
  terminal.py terminal PROGRAM ARGUMENT …   standard input and error on a terminal; what is read from our input is
                                            typed there, what shows there goes to our standard error

Ends with the program's status, or with 200 and its signal's number. Where the program left the terminal in another
state than it found it in, the last line says so.
"""
import os, pty, select, signal, sys, termios

kind, command = sys.argv[1], sys.argv[2:]
signal.pthread_sigmask(signal.SIG_SETMASK, [])
for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
# What hangs is killed, not waited for.
PATIENCE = int(os.environ.pop("PABAL_TEST_PATIENCE", "60"))
if kind == "pipe":
    signal.alarm(PATIENCE)
    os.execv(command[0], command)

ours, theirs = pty.openpty()
before = termios.tcgetattr(theirs)
child = os.fork()
if child == 0:
    signal.alarm(PATIENCE)
    os.setsid()
    os.dup2(theirs, 0)
    os.dup2(theirs, 2)
    os.close(ours)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execv(command[0], command)

typing = True
while True:
    ready, _, _ = select.select([ours] + ([0] if typing else []), [], [], 0.05)
    if ours in ready:
        os.write(2, os.read(ours, 4096))
        continue
    if 0 in ready:
        octets = os.read(0, 4096)
        typing = bool(octets)
        os.write(ours, octets)
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
while select.select([ours], [], [], 0)[0]:
    os.write(2, os.read(ours, 4096))
if termios.tcgetattr(theirs) != before:
    os.write(2, b"THE TERMINAL IS ANOTHER\n")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 200 - code)
