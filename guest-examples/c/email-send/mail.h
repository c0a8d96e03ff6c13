/* Mails. Nothing here knows that it is part of a job, but for the failures. */
#ifndef MAIL_H
#define MAIL_H

#include "../flowmonkey/flowmonkey.h"

/* Catches slips, not every address that cannot exist: only the mail service knows those. */
bool mail_is_address(const char *text);

/* Puts the value of each {{name}} in its place. Values are not searched for placeholders. Returns
 * null and the failure where a placeholder is not closed or has no value. */
const char *mail_render(const char *template, const fm_json *vars, fm_outcome *failure);

#endif
