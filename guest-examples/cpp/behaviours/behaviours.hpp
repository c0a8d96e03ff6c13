#ifndef BEHAVIOURS_HPP
#define BEHAVIOURS_HPP

#include "../flowmonkey/flowmonkey.hpp"

using Outcome = fm::Result<fm::Outcome>;

// outcomes.cpp
Outcome do_echo(const fm::Json &input);
Outcome do_nothing(const fm::Json &input);
Outcome do_retryable(const fm::Json &input);
Outcome do_fatal(const fm::Json &input);
Outcome do_throw(const fm::Json &input);
Outcome do_trap(const fm::Json &input);
Outcome do_wait(const fm::Json &input);
Outcome do_spin(const fm::Json &input);

// host.cpp
Outcome do_facts(const fm::Json &input);
Outcome do_heartbeat(const fm::Json &input);
Outcome do_progress(const fm::Json &input);
Outcome do_checkpoint(const fm::Json &input);
Outcome do_log(const fm::Json &input);
Outcome do_config(const fm::Json &input);
Outcome do_http(const fm::Json &input);
Outcome do_context(const fm::Json &input);
Outcome do_enqueue(const fm::Json &input);
Outcome do_idempotency(const fm::Json &input);
Outcome do_sleep(const fm::Json &input);

// library.cpp
Outcome do_print(const fm::Json &input);
Outcome do_random(const fm::Json &input);
Outcome do_now(const fm::Json &input);

#endif
