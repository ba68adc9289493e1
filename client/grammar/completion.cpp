#include "client/grammar/completion.hpp"

#include <algorithm>

namespace nucleus::client {

namespace {

/// The place in the table to which the words before the last one lead.
struct CompletedPlace {
  const Command* command = nullptr;
  std::size_t positionals = 0;
  std::string cluster = {};
};

/// The positional argument at this place; nullptr if there is none.
const Argument* positional(const Command& command, std::size_t place) {
  for (const auto& argument : command.arguments) {
    if (argument.is_option()) continue;
    if (place == 0 || argument.takes == Takes::many) return &argument;
    --place;
  }
  return nullptr;
}

std::string kind_of(const Argument& argument) {
  const std::string kind = argument.name;
  return kind == "NODE" || kind == "OLDNAMES" ? "NODES" : kind;
}

CompletedPlace place_of(const Command& table, const std::vector<std::string>& words) {
  CompletedPlace place{.command = &table};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& word = words[i];
    if (word.starts_with('-')) continue;
    if (const auto* part = place.command->part(word)) {
      place = {.command = part};
      continue;
    }
    const auto* argument = positional(*place.command, place.positionals);
    if (argument && kind_of(*argument) == "CLUSTER") place.cluster = word;
    ++place.positionals;
  }
  return place;
}

std::string kind_of_option(const std::string& name) {
  if (name == "--cluster") return "CLUSTER";
  if (name == "--endpoint" || name == "--cloud") return "ENDPOINT";
  if (name == "--format") return "FORMAT";
  return {};
}

}  // namespace

std::vector<std::string> completions(const Command& table, const std::vector<std::string>& words,
                                     const NamesOf& names_of) {
  const std::string& last = words.back();
  const CompletedPlace place = place_of(table, words);
  std::vector<std::string> all;
  if (const auto equals = last.find('='); last.starts_with("--") && equals != std::string::npos) {
    const std::string option = last.substr(0, equals);
    for (const auto& name : names_of(kind_of_option(option), place.cluster))
      all.push_back(option + "=" + name);
  } else if (last.starts_with('-')) {
    if (!place.command->is_passed_on) all.emplace_back("--help");
    for (const auto& argument : place.command->arguments)
      if (std::string name = argument.name; name.starts_with("--"))
        all.push_back(argument.takes == Takes::nothing ? name : name + "=");
  } else {
    for (const auto& part : place.command->parts) all.emplace_back(part.name);
    if (const auto* argument = positional(*place.command, place.positionals))
      for (auto& name : names_of(kind_of(*argument), place.cluster)) all.push_back(std::move(name));
  }
  std::erase_if(all, [&](const std::string& each) { return !each.starts_with(last); });
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash")
    // The script reads COMP_LINE because bash splits COMP_WORDS at each `=`, and completes only
    // what follows it.
    return R"(_cm() {
  local IFS=$' \t' line="${COMP_LINE:0:COMP_POINT}" words
  read -ra words <<<"$line"
  case "$line" in *[[:blank:]]) words+=("") ;; esac
  local program="${words[0]##*/}" last="${words[-1]}"
  words=("${words[@]:1}")
  [ "$program" = comet ] && words=(comet "${words[@]}")
  IFS=$'\n'
  COMPREPLY=($(cm --complete "${words[@]}" 2>/dev/null))
  case "$last" in *=*) COMPREPLY=("${COMPREPLY[@]#"${last%%=*}="}") ;; esac
  case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _cm cm comet
)";
  if (shell == "zsh")
    return R"(#compdef cm comet
local -a typed found
typed=("${(@)words[2,CURRENT]}")
[[ ${words[1]:t} == comet ]] && typed=(comet "${typed[@]}")
found=("${(@f)$(cm --complete "${typed[@]}" 2>/dev/null)}")
[[ -n $found ]] && compadd -- "${found[@]}" || _files
)";
  if (shell == "fish")
    return R"(function __cm_complete
  set -l typed (commandline -opc) (commandline -ct)
  set -l program (basename $typed[1])
  set -e typed[1]
  test $program = comet; and set -p typed comet
  set -l found (cm --complete $typed 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c cm -f -a '(__cm_complete)'
complete -c comet -f -a '(__cm_complete)'
)";
  return {};
}

}  // namespace nucleus::client
