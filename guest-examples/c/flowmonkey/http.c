/* HTTP requests over wasi:http. */
#include "wit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    WRITE_BYTES_MAX = 4096, /* the most that one blocking write may take */
    READ_BYTES_MAX = 64 * 1024,
};

typedef wasi_http_types_error_code_t error_code;

static const char *const code_names[] = {
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
};

static const char *method_of(const fm_http_request *request) {
    return request->method ? request->method : "GET";
}

static fm_status failed_with(const fm_http_request *request, error_code *code) {
    const bool denied = code->tag == WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED ||
                        code->tag == WASI_HTTP_TYPES_ERROR_CODE_DESTINATION_IP_PROHIBITED;
    const bool known = code->tag < sizeof code_names / sizeof *code_names;
    wasi_http_types_error_code_free(code);
    return fm_status_with(denied ? FM_DENIED : FM_HTTP_FAILED, "%s %s: %s", method_of(request),
                          request->url, known ? code_names[code->tag] : "unknown error");
}

static fm_status failed(const fm_http_request *request, const char *why) {
    return fm_status_with(FM_HTTP_FAILED, "%s %s: %s", method_of(request), request->url, why);
}

static fm_status invalid(const fm_http_request *request, const char *why) {
    return fm_status_with(FM_INVALID, "%s %s: %s", method_of(request), request->url, why);
}

/* ---- The request ---- */

static wasi_http_types_method_t to_method(const char *name) {
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    for (uint8_t tag = 0; tag < WASI_HTTP_TYPES_METHOD_OTHER; tag++)
        if (strcmp(name, known[tag]) == 0)
            return (wasi_http_types_method_t){.tag = tag};
    return (wasi_http_types_method_t){WASI_HTTP_TYPES_METHOD_OTHER, {.other = fm_to_wit(name)}};
}

static bool append(wasi_http_types_own_fields_t fields, const char *name, const char *value) {
    wit_string name_text = fm_to_wit(name);
    wasi_http_types_field_value_t bytes = {(uint8_t *)value, strlen(value)};
    wasi_http_types_header_error_t error;
    return wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name_text,
                                                &bytes, &error);
}

static fm_status make_fields(const fm_http_request *request, wasi_http_types_own_fields_t *fields) {
    /* Without a length the host would send the body in chunks, which not every server takes. */
    bool lacks_length = request->body_size > 0;
    const char *refused = nullptr;
    *fields = wasi_http_types_constructor_fields();
    for (size_t i = 0; refused == nullptr && i < request->header_count; i++) {
        const fm_http_header *header = &request->headers[i];
        if (strcasecmp(header->name, "content-length") == 0)
            lacks_length = false;
        if (!append(*fields, header->name, header->value))
            refused = header->name;
    }
    if (refused == nullptr && lacks_length &&
        !append(*fields, "content-length", fm_format("%zu", request->body_size)))
        refused = "content-length";
    if (refused == nullptr)
        return FM_OK;
    wasi_http_types_fields_drop_own(*fields);
    return invalid(request, fm_format("the header \"%s\" is refused", refused));
}

/* Splits scheme://authority/path?query#fragment; the fragment stays here. */
static bool set_url(wasi_http_types_borrow_outgoing_request_t to, const char *url) {
    const char *mark = strstr(url, "://");
    if (mark == nullptr)
        return false;
    const char *authority = mark + strlen("://");
    const size_t authority_size = strcspn(authority, "/?#");
    const char *path = authority + authority_size;
    const char *path_text = fm_copy(path, strcspn(path, "#"));
    if (*path_text != '/')
        path_text = fm_format("/%s", path_text);

    const size_t scheme_size = (size_t)(mark - url);
    wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_OTHER};
    if (scheme_size == strlen("https") && strncasecmp(url, "https", scheme_size) == 0)
        scheme.tag = WASI_HTTP_TYPES_SCHEME_HTTPS;
    else if (scheme_size == strlen("http") && strncasecmp(url, "http", scheme_size) == 0)
        scheme.tag = WASI_HTTP_TYPES_SCHEME_HTTP;
    else
        scheme.val.other = fm_to_wit(fm_copy(url, scheme_size));

    wit_string authority_text = fm_to_wit(fm_copy(authority, authority_size));
    wit_string path_and_query = fm_to_wit(path_text);
    return wasi_http_types_method_outgoing_request_set_scheme(to, &scheme) &&
           wasi_http_types_method_outgoing_request_set_authority(to, &authority_text) &&
           wasi_http_types_method_outgoing_request_set_path_with_query(to, &path_and_query);
}

static fm_status make_request(const fm_http_request *request,
                              wasi_http_types_own_outgoing_request_t *made) {
    wasi_http_types_own_fields_t fields;
    const fm_status status = make_fields(request, &fields);
    if (status != FM_OK)
        return status;
    *made = wasi_http_types_constructor_outgoing_request(fields);
    const wasi_http_types_borrow_outgoing_request_t borrowed =
        wasi_http_types_borrow_outgoing_request(*made);
    wasi_http_types_method_t method = to_method(method_of(request));
    const char *why = nullptr;
    if (!wasi_http_types_method_outgoing_request_set_method(borrowed, &method))
        why = "the method is refused";
    else if (!set_url(borrowed, request->url))
        why = "the URL is refused";
    if (why == nullptr)
        return FM_OK;
    wasi_http_types_outgoing_request_drop_own(*made);
    return invalid(request, why);
}

/* Errors are left for the response, which knows why the host stopped reading. */
static void write_body(const fm_http_request *request, wasi_http_types_own_outgoing_body_t body) {
    wasi_io_streams_own_output_stream_t stream;
    if (wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body),
                                                   &stream)) {
        bool open = true;
        for (size_t at = 0; open && at < request->body_size; at += WRITE_BYTES_MAX) {
            const size_t left = request->body_size - at;
            complete_job_handler_list_u8_t chunk = {
                (uint8_t *)request->body + at, left < WRITE_BYTES_MAX ? left : WRITE_BYTES_MAX};
            wasi_io_streams_stream_error_t error;
            open = wasi_io_streams_method_output_stream_blocking_write_and_flush(
                wasi_io_streams_borrow_output_stream(stream), &chunk, &error);
            if (!open)
                wasi_io_streams_stream_error_free(&error);
        }
        wasi_io_streams_output_stream_drop_own(stream);
    }
    error_code code;
    if (!wasi_http_types_static_outgoing_body_finish(body, nullptr, &code))
        wasi_http_types_error_code_free(&code);
}

/* ---- The response ---- */

static fm_status await(const fm_http_request *request,
                       wasi_http_types_own_future_incoming_response_t future,
                       wasi_http_types_own_incoming_response_t *response) {
    const wasi_http_types_borrow_future_incoming_response_t borrowed =
        wasi_http_types_borrow_future_incoming_response(future);
    const wasi_io_poll_own_pollable_t ready =
        wasi_http_types_method_future_incoming_response_subscribe(borrowed);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(ready));
    wasi_io_poll_pollable_drop_own(ready);
    wasi_http_types_result_result_own_incoming_response_error_code_void_t answer;
    const bool answered =
        wasi_http_types_method_future_incoming_response_get(borrowed, &answer) && !answer.is_err;
    wasi_http_types_future_incoming_response_drop_own(future);
    if (!answered)
        return failed(request, "no response came");
    if (answer.val.ok.is_err)
        return failed_with(request, &answer.val.ok.val.err);
    *response = answer.val.ok.val.ok;
    return FM_OK;
}

static void read_headers(wasi_http_types_own_incoming_response_t from, fm_http_response *response) {
    const wasi_http_types_own_headers_t fields = wasi_http_types_method_incoming_response_headers(
        wasi_http_types_borrow_incoming_response(from));
    wasi_http_types_list_tuple2_field_name_field_value_t entries;
    wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(fields), &entries);
    fm_http_header *headers = fm_alloc(entries.len * sizeof *headers);
    for (size_t i = 0; i < entries.len; i++) {
        char *name = fm_copy((const char *)entries.ptr[i].f0.ptr, entries.ptr[i].f0.len);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        headers[i].name = name;
        headers[i].value = fm_copy((const char *)entries.ptr[i].f1.ptr, entries.ptr[i].f1.len);
    }
    response->headers = headers;
    response->header_count = entries.len;
    wasi_http_types_list_tuple2_field_name_field_value_free(&entries);
    wasi_http_types_fields_drop_own(fields);
}

static fm_status stream_failed(const fm_http_request *request,
                               wasi_io_streams_stream_error_t *error) {
    error_code code;
    const wasi_io_error_borrow_error_t cause =
        wasi_io_error_borrow_error(error->val.last_operation_failed);
    const bool known = wasi_http_types_http_error_code(cause, &code);
    wasi_io_streams_stream_error_free(error);
    return known ? failed_with(request, &code) : failed(request, "the response broke off");
}

static fm_status read_stream(const fm_http_request *request,
                             wasi_io_streams_own_input_stream_t stream, fm_buffer *body) {
    for (;;) {
        complete_job_handler_list_u8_t chunk;
        wasi_io_streams_stream_error_t error;
        if (!wasi_io_streams_method_input_stream_blocking_read(
                wasi_io_streams_borrow_input_stream(stream), READ_BYTES_MAX, &chunk, &error))
            return error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED
                       ? FM_OK
                       : stream_failed(request, &error);
        fm_buffer_add(body, (const char *)chunk.ptr, chunk.len);
        complete_job_handler_list_u8_free(&chunk);
    }
}

static fm_status read_body(const fm_http_request *request,
                           wasi_http_types_own_incoming_response_t from,
                           fm_http_response *response) {
    wasi_http_types_own_incoming_body_t incoming;
    wasi_io_streams_own_input_stream_t stream;
    if (!wasi_http_types_method_incoming_response_consume(
            wasi_http_types_borrow_incoming_response(from), &incoming))
        return failed(request, "the response has no body to read");
    fm_status status = failed(request, "the response has no body to read");
    if (wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(incoming),
                                                    &stream)) {
        fm_buffer body = {};
        status = read_stream(request, stream, &body);
        response->body_size = body.size;
        response->body = fm_buffer_keep(&body);
        wasi_io_streams_input_stream_drop_own(stream);
    }
    wasi_http_types_incoming_body_drop_own(incoming);
    return status;
}

fm_status fm_http_send(const fm_http_request *request, fm_http_response *response) {
    wasi_http_types_own_outgoing_request_t outgoing;
    wasi_http_types_own_outgoing_body_t body;
    wasi_http_types_own_future_incoming_response_t future;
    wasi_http_types_own_incoming_response_t incoming;
    error_code code;
    *response = (fm_http_response){.body = ""};

    fm_status status = make_request(request, &outgoing);
    if (status != FM_OK)
        return status;
    /* A body that is taken goes out, be it empty: then as a chunked request of no bytes. */
    const bool has_body =
        request->body_size > 0 && wasi_http_types_method_outgoing_request_body(
                                      wasi_http_types_borrow_outgoing_request(outgoing), &body);
    if (!wasi_http_outgoing_handler_handle(outgoing, nullptr, &future, &code)) {
        if (has_body)
            wasi_http_types_outgoing_body_drop_own(body);
        return failed_with(request, &code);
    }
    if (has_body)
        write_body(request, body);
    status = await(request, future, &incoming);
    if (status != FM_OK)
        return status;
    response->status = wasi_http_types_method_incoming_response_status(
        wasi_http_types_borrow_incoming_response(incoming));
    read_headers(incoming, response);
    status = read_body(request, incoming, response);
    wasi_http_types_incoming_response_drop_own(incoming);
    return status;
}

const char *fm_http_header_value(const fm_http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return nullptr;
}
