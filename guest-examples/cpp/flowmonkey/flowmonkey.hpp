// FlowMonkey Jobs for C++23, without exceptions.
//
// Write fm::run(); the host calls it once for each attempt of a job, each time in a fresh instance.
//
//     fm::Result<fm::Outcome> fm::run(fm::Json input) {
//         FM_LET(name, input.read<std::string>("name"));
//         fm::log(fm::Level::info, "greeting", {{"name", name}});
//         return fm::success({{"greeting", "Hello, " + name + "!"}});
//     }
//
// What can fail returns a Result. FM_LET() and FM_TRY() hand its error on, to the handler's end:
// there an error of the host, of the input, or of your own becomes the outcome that fits it.
// abort() and failed assertions end the attempt as a trap, which is worth another attempt.
#ifndef FLOWMONKEY_HPP
#define FLOWMONKEY_HPP

#include "json.hpp"

#include <chrono>

namespace fm {

using std::chrono::milliseconds;

// ---- How an attempt ends ----

struct Outcome {
    fm_outcome raw;
};

// The work is done. Without a result, or with any: success({{"sent", true}}).
Outcome success();
Outcome success(Json result);
Outcome success(std::initializer_list<Json::Member> result);
// The work goes on later: the attempt does not count, and checkpoints stay. People see the reason.
Outcome wait_after(milliseconds time, const std::string &reason = "");
Outcome wait_until(std::chrono::sys_time<milliseconds> moment, const std::string &reason = "");
// Until somebody resumes the job; see job::resumed_with().
Outcome wait_for(const std::string &signal, const std::string &reason = "");

struct FailureOptions {
    // Whatever helps to find the cause; dropped when over 16 KiB. Not made in a Scope that the
    // error leaves.
    Json details = {};
    // When to try again, at most 30 days; else the handler's retry policy decides.
    std::optional<milliseconds> after = {};
};

// May go better next time. The code is a short, stable name in capitals.
std::unexpected<Error> retryable(const std::string &code, const std::string &message,
                                 const FailureOptions &options = {});
// Will never go better: the job fails now.
std::unexpected<Error> fatal(const std::string &code, const std::string &message,
                             const Json &details = {});
// The attempt stopped because it was told to.
std::unexpected<Error> cancelled();

// ---- What a handler defines ----

// Runs one attempt. A job runs at least once, so effects outside should be safe to repeat.
Result<Outcome> run(Json input);
// What the handler says of itself: name, description, version, input-schema, … (see wit/). May be
// left out.
Json describe();

// ---- The job ----

namespace job {
std::string id();
std::string handler();
// The workflow execution and its step that this job belongs to, if any.
std::optional<std::string> execution_id();
std::optional<std::string> step_id();
// The same in every attempt of this job: hand it to services that drop repeated requests.
std::string idempotency_key();
// The first attempt is 1.
std::uint32_t attempt();
std::uint32_t max_attempts();
// When the attempt will be interrupted, in milliseconds since 1970.
std::optional<std::uint64_t> deadline_ms();
// What the job was resumed with after its last wait; absent where nothing.
Json resumed_with();
// The W3C traceparent under which the job was enqueued.
std::optional<std::string> trace_parent();
} // namespace job

enum class Directive {
    proceed = FM_PROCEED,
    cancel = FM_CANCEL, // stop: nothing this attempt records will be kept
    drain = FM_DRAIN,   // the runner is stopping: save a checkpoint and return cancelled()
};

// Says that the attempt is alive, and ends it where the host wants that. Cheap:
// FM_TRY(fm::heartbeat()) in every turn of a long loop.
Result<void> heartbeat();
// Shows people how far the work is, from 0 to 100. Also a heartbeat.
Result<void> progress(float percent, const std::string &message = "");
// The same as heartbeat(), for handlers that have something to do before they stop.
Directive directive();
// Whether the job was cancelled or lost, without counting as a sign of life.
bool is_cancelled();
// Pauses the attempt; it counts towards its timeout.
void sleep(milliseconds time);

enum class Level { trace, debug, info, warn, error };

// Writes a line with up to 16 named fields. Lines and bytes of an attempt are limited. Never put
// secrets here.
void log(Level level, const std::string &message,
         std::initializer_list<std::pair<std::string, std::string>> fields = {});

// ---- Memory across attempts ----

// What this job keeps for its next attempts. Keys have 1 to 256 bytes; by default a value has at
// most 1 MiB, and all of a job's 4 MiB. A value is durable when save() returns.
namespace checkpoint {
Result<void> save(const std::string &key, const Json &value);
// Absent where nothing is saved under the key.
Result<Json> restore(const std::string &key);
Result<std::vector<std::string>> keys();
Result<void> remove(const std::string &key);
Result<void> clear();
} // namespace checkpoint

// The context of the job's workflow execution; Status::denied for a job of its own. Needs the grant
// `context`. At most 1 MB a value, 10 MB in all, 500 keys.
namespace context {
Result<void> set(const std::string &key, const Json &value);
Result<Json> get(const std::string &key);
Result<std::vector<std::string>> keys();
Result<void> remove(const std::string &key);
} // namespace context

// "Has this been done already?", shared by all jobs of this handler. Needs the grant `idempotency`.
namespace idempotency {
Result<Json> lookup(const std::string &key);
// For a time, or for good. What was recorded first stands until its time is over: another value is
// FM_INVALID, and so is a time of 0 or less.
Result<void> record(const std::string &key, const Json &value,
                    std::optional<milliseconds> time = {});
} // namespace idempotency

// ---- Other jobs, configuration, HTTP ----

// What is left out takes the target handler's own setting, and starts the job now.
struct EnqueueOptions {
    std::optional<std::chrono::sys_time<milliseconds>> at = {};
    std::optional<milliseconds> after = {};
    std::optional<std::uint8_t> priority = {}; // from 0 (first) to 9 (last)
    std::optional<std::uint32_t> max_attempts = {};
    // While a job with this key is pending or running, its id is returned instead of a second job.
    std::optional<std::string> unique_key = {};
};

// Creates a job for another handler and returns its id. Needs the grant `queue`. The job stays even
// if this attempt fails.
Result<std::string> enqueue(const std::string &handler, const Json &input,
                            const EnqueueOptions &options = {});

// What the operator has set for this handler. Needs the grant `config`.
namespace config {
Result<std::optional<std::string>> get(const std::string &key);
Result<std::map<std::string, std::string>> all();
} // namespace config

namespace http {
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method = "GET";
    std::string url;
    Headers headers = {};
    std::string body = {};
};

struct Response {
    int status;
    Headers headers; // names in lower case
    std::string body;

    // The first header of a name, in lower case.
    std::optional<std::string> header(std::string_view name) const;
};

// Sends a request and reads the whole response, whatever its status. Needs the grant `http`.
// Redirects are not followed.
Result<Response> send(const Request &request);
} // namespace http

} // namespace fm

#endif
