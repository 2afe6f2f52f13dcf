#ifndef PABAL_CONSOLE_READABLE_H
#define PABAL_CONSOLE_READABLE_H

#include <stddef.h>
#include <stdio.h>

/* Prints From, To, Cc and Subject of a mail, decoded, an empty line, and its text part.
 *
 * Decodes UTF-8 in encoded words (RFC 2047), base64 and quoted-printable (RFC 2045), as Pabal writes them; anything else
 * is printed as it is. Control characters are replaced, because mail may contain escape sequences. */
void print_readable(FILE *stream, const unsigned char *mail, size_t count);

#endif
