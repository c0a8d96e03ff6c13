#ifndef BEHAVIOURS_H
#define BEHAVIOURS_H

#include "../flowmonkey/flowmonkey.h"

/* outcomes.c */
fm_outcome do_echo(const fm_json *input);
fm_outcome do_nothing(const fm_json *input);
fm_outcome do_retryable(const fm_json *input);
fm_outcome do_fatal(const fm_json *input);
fm_outcome do_throw(const fm_json *input);
fm_outcome do_trap(const fm_json *input);
fm_outcome do_wait(const fm_json *input);
fm_outcome do_spin(const fm_json *input);

/* host.c */
fm_outcome do_facts(const fm_json *input);
fm_outcome do_heartbeat(const fm_json *input);
fm_outcome do_progress(const fm_json *input);
fm_outcome do_checkpoint(const fm_json *input);
fm_outcome do_log(const fm_json *input);
fm_outcome do_config(const fm_json *input);
fm_outcome do_http(const fm_json *input);
fm_outcome do_context(const fm_json *input);
fm_outcome do_enqueue(const fm_json *input);
fm_outcome do_idempotency(const fm_json *input);
fm_outcome do_sleep(const fm_json *input);

/* libc.c */
fm_outcome do_print(const fm_json *input);
fm_outcome do_random(const fm_json *input);
fm_outcome do_now(const fm_json *input);

#endif
