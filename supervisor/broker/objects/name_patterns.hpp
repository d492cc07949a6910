// The "name" filter of lists: regular expressions, matched against names as the job knows them.
#pragma once

#include <regex.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace supervisor::broker {

// The query's "filters" in one form: key → values.
using Filters = std::map<std::string, std::vector<std::string>>;

class NamePatterns {
  public:
    // Takes "name" out of the filters. A pattern that is no regular expression is matched as plain text.
    explicit NamePatterns(Filters& filters);
    bool empty() const { return patterns_.empty() && plain_.empty(); }
    // Any of them, with or without the slash that the engine puts in front of containers' names.
    bool match(const std::string& name) const;

  private:
    std::vector<std::shared_ptr<regex_t>>
        patterns_;  // POSIX extended: close to the engine's, and compiled small
    std::vector<std::string> plain_;
};

}  // namespace supervisor::broker
