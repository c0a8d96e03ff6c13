// Mails. Nothing here knows that it is part of a job, but for the failures.
#ifndef MAIL_HPP
#define MAIL_HPP

#include "../flowmonkey/flowmonkey.hpp"

namespace mail {

using Vars = std::map<std::string, std::string>;

// Puts the value of each {{name}} in its place. Values are not searched for placeholders.
fm::Result<std::string> render(std::string_view text, const Vars &vars);

// Catches slips, not every address that cannot exist: only the mail service knows those.
bool is_address(std::string_view text);

} // namespace mail

#endif
