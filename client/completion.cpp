#include "client/completion.hpp"

#include <algorithm>

#include "client/command_table.hpp"

namespace nucleus::client {

namespace {

/// Where in the table the words before the last one lead.
struct Place {
  const CLI::App* app = nullptr;
  std::size_t positionals = 0;
  std::string cluster = {};
};

std::vector<const CLI::Option*> positionals_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->get_positional(); });
}

std::string kind_of(const CLI::Option& option) {
  std::string kind = option.get_name(true, false);
  if (kind == "NODE" || kind == "OLDNAMES") return "NODES";
  return kind;
}

Place place_of(const CLI::App& table, const std::vector<std::string>& words) {
  Place place{.app = &table};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& word = words[i];
    if (word.starts_with('-')) continue;
    const auto parts = commands_of(*place.app);
    const auto part =
        std::ranges::find_if(parts, [&](const CLI::App* each) { return each->check_name(word); });
    if (part != parts.end()) {
      place = {.app = *part};
      continue;
    }
    const auto positionals = positionals_of(*place.app);
    if (place.positionals < positionals.size() &&
        kind_of(*positionals[place.positionals]) == "CLUSTER")
      place.cluster = word;
    ++place.positionals;
  }
  return place;
}

std::string kind_of_option(const std::string& name) {
  if (name == "--cluster") return "CLUSTER";
  if (name == "--endpoint") return "ENDPOINT";
  if (name == "--format") return "FORMAT";
  return {};
}

}  // namespace

std::vector<std::string> completions(const CLI::App& table, const std::vector<std::string>& words,
                                     const NamesOf& names_of) {
  const std::string& last = words.back();
  const Place place = place_of(table, words);
  std::vector<std::string> all;
  if (const auto equals = last.find('='); last.starts_with("--") && equals != std::string::npos) {
    const std::string option = last.substr(0, equals);
    for (const auto& name : names_of(kind_of_option(option), place.cluster))
      all.push_back(option + "=" + name);
  } else if (last.starts_with('-')) {
    for (const auto* option : place.app->get_options())
      for (const auto& name : option->get_lnames())
        all.push_back("--" + name + (option->get_items_expected_max() > 0 ? "=" : ""));
  } else {
    for (const auto* part : commands_of(*place.app)) all.push_back(part->get_name());
    const auto positionals = positionals_of(*place.app);
    if (place.positionals < positionals.size())
      for (auto& name : names_of(kind_of(*positionals[place.positionals]), place.cluster))
        all.push_back(std::move(name));
  }
  std::erase_if(all, [&](const std::string& each) { return !each.starts_with(last); });
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash")
    return R"(_cm() {
  local IFS=$'\n' words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  [ "${COMP_WORDS[0]##*/}" = comet ] && words=(comet "${words[@]}")
  COMPREPLY=($(cm --complete "${words[@]}" 2>/dev/null))
  case "${COMPREPLY[0]}" in *=) compopt -o nospace ;; esac
}
complete -o default -F _cm cm comet
)";
  if (shell == "zsh")
    return R"(#compdef cm comet
local -a said found
said=("${(@)words[2,CURRENT]}")
[[ ${words[1]:t} == comet ]] && said=(comet "${said[@]}")
found=("${(@f)$(cm --complete "${said[@]}" 2>/dev/null)}")
[[ -n $found ]] && compadd -- "${found[@]}" || _files
)";
  if (shell == "fish")
    return R"(function __cm_complete
  set -l said (commandline -opc) (commandline -ct)
  set -l program (basename $said[1])
  set -e said[1]
  test $program = comet; and set -p said comet
  cm --complete $said 2>/dev/null
end
complete -c cm -a '(__cm_complete)'
complete -c comet -a '(__cm_complete)'
)";
  return {};
}

}  // namespace nucleus::client
