/* Renders a mail from a template. Shows how a handler reads its input, which failures are fatal
 * because another attempt would meet them again, how it remembers what it has sent, and how it
 * logs.
 *
 *     {
 *         "to": "ada@example.com",
 *         "subject": "Welcome, {{name}}",
 *         "body": "Hello {{name}}, your plan is {{plan}}.",
 *         "vars": {"name": "Ada", "plan": "free"},
 *         "messageId": "welcome-17"
 *     }
 *
 * With a `messageId`, which takes the grant `idempotency`, no second mail of that id goes to the
 * address.
 */
#include "mail.h"

#include <string.h>

typedef struct mail_order {
    const char *to, *subject, *body;
    const char *message_id; /* or null */
    const fm_json *vars;
} mail_order;

static fm_status read_vars(const fm_json *input, const fm_json **vars) {
    *vars = fm_get(input, "vars");
    if (fm_kind(*vars) != FM_JSON_ABSENT && fm_kind(*vars) != FM_JSON_OBJECT)
        return fm_bad_input("\"vars\": expected an object");
    for (const fm_json *var = fm_first(*vars); var; var = fm_next(var))
        if (fm_kind(var) != FM_JSON_STRING)
            return fm_bad_input("\"vars\": \"%s\" is no string", fm_name(var));
    return FM_OK;
}

static fm_outcome send(const mail_order *mail, const char *key) {
    fm_outcome failure;
    const char *subject = mail_render(mail->subject, mail->vars, &failure);
    if (subject == nullptr)
        return failure;
    const char *body = mail_render(mail->body, mail->vars, &failure);
    if (body == nullptr)
        return failure;

    /* Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the
     * result. A real sender would hand the idempotency key to the mail service, which then drops
     * the second request of a job that runs twice. */
    fm_log(FM_LOG_INFO, "mail rendered", "to", mail->to, "bodyBytes",
           fm_format("%zu", strlen(body)));
    if (key)
        FM_TRY(fm_idempotency_record(key, true, 0));

    fm_json *result = fm_object();
    fm_set(result, "sent", true);
    fm_set(result, "to", mail->to);
    fm_set(result, "subject", subject);
    fm_set(result, "body", body);
    fm_set(result, "idempotencyKey", fm_job_idempotency_key());
    return fm_success(result);
}

fm_outcome fm_run(const fm_json *input) {
    mail_order mail;
    FM_TRY(fm_read_string(input, "to", &mail.to));
    FM_TRY(fm_read_string(input, "subject", &mail.subject));
    FM_TRY(fm_read_string(input, "body", &mail.body));
    FM_TRY(fm_read_string_or(input, "messageId", nullptr, &mail.message_id));
    FM_TRY(read_vars(input, &mail.vars));
    if (!mail_is_address(mail.to))
        return fm_fatal("BAD_ADDRESS", "%s is not a mail address",
                        fm_json_text(fm_string(mail.to)));
    if (mail.message_id == nullptr)
        return send(&mail, nullptr);

    const char *key = fm_format("email-%s-%s", mail.to, mail.message_id);
    fm_json *sent;
    FM_TRY(fm_idempotency_lookup(key, &sent));
    if (sent)
        return fm_success(fm_set(fm_object(), "alreadySent", true));
    return send(&mail, key);
}
