// Renders a mail from a template. Shows how a handler reads its input, which failures are fatal
// because another attempt would meet them again, how it remembers what it has sent, and how it
// logs.
//
//     {
//         "to": "ada@example.com",
//         "subject": "Welcome, {{name}}",
//         "body": "Hello {{name}}, your plan is {{plan}}.",
//         "vars": {"name": "Ada", "plan": "free"},
//         "messageId": "welcome-17"
//     }
//
// With a `messageId`, which takes the grant `idempotency`, no second mail of that id goes to the
// address.
#include "mail.hpp"

fm::Result<fm::Outcome> fm::run(fm::Json input) {
    FM_LET(to, input.read<std::string>("to"));
    FM_LET(subject_template, input.read<std::string>("subject"));
    FM_LET(body_template, input.read<std::string>("body"));
    FM_LET(vars, input.read_or<mail::Vars>("vars", {}));
    FM_LET(message_id, input.read<std::optional<std::string>>("messageId"));
    if (!mail::is_address(to))
        return fm::fatal("BAD_ADDRESS", fm::Json(to).text() + " is not a mail address");

    const std::string key = message_id ? "email-" + to + "-" + *message_id : "";
    if (message_id) {
        FM_LET(sent, fm::idempotency::lookup(key));
        if (sent)
            return fm::success({{"alreadySent", true}});
    }
    FM_LET(subject, mail::render(subject_template, vars));
    FM_LET(body, mail::render(body_template, vars));

    // Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the
    // result. A real sender would hand the idempotency key to the mail service, which then drops
    // the second request of a job that runs twice.
    const std::string body_bytes = std::to_string(body.size());
    fm::log(fm::Level::info, "mail rendered", {{"to", to}, {"bodyBytes", body_bytes}});
    if (message_id)
        FM_TRY(fm::idempotency::record(key, true));

    return fm::success({
        {"sent", true},
        {"to", to},
        {"subject", subject},
        {"body", body},
        {"idempotencyKey", fm::job::idempotency_key()},
    });
}
