# Functions for all CMakeLists.txt, one for each kind of target. Sources are found by folder, so new
# files need no change here.

# Files of one folder are compiled together, eight at a time, because most of the compile time is
# spent on common headers. -DNUCLEUS_JOIN_SOURCES=OFF compiles each file alone, which finds missing
# includes. `set_source_files_properties(FILE PROPERTIES NUCLEUS_ALONE ON)` excludes a file that
# takes long, so that it can compile in parallel.
option(NUCLEUS_JOIN_SOURCES "compile the files of a folder together" ON)
function(nucleus_join_sources target)
  if(NOT NUCLEUS_JOIN_SOURCES)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source ${ARGN})
    get_source_file_property(is_alone ${source} NUCLEUS_ALONE)
    if(is_alone)
      continue()
    endif()
    get_filename_component(folder ${source} DIRECTORY)
    string(MAKE_C_IDENTIFIER "count_${folder}" count)
    if(NOT DEFINED ${count})
      set(${count} 0)
    endif()
    math(EXPR group "${${count}} / 8")
    math(EXPR ${count} "${${count}} + 1")
    file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR} ${folder})
    string(MAKE_C_IDENTIFIER "${name}_${group}" name)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${name})
  endforeach()
endfunction()

# nucleus_library(NAME LINK targets... PRIVATE libraries...): all .cpp files of this folder except
# main.cpp.
function(nucleus_library name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    nucleus_join_sources(${name} ${sources})
    target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_LINK})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

# nucleus_service(NAME PRIVATE libraries...): library nucleus_NAME and program nucleus-NAME
# (underscores become dashes).
function(nucleus_service name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE" ${ARGN})
  nucleus_library(nucleus_${name} LINK nucleus_core ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
  set_property(GLOBAL APPEND PROPERTY NUCLEUS_ROOMS nucleus_${name})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.cpp)
    string(REPLACE "_" "-" program ${name})
    add_executable(nucleus-${program} main.cpp)
    target_link_libraries(nucleus-${program} PRIVATE nucleus_${name})
  endif()
endfunction()

# nucleus_tests(NAME SHARDS N LINK targets...): one program of all .cpp files below this folder
# except main.cpp. It is N tests of ctest (NAME-1, …; default 1) with the label NAME, which run side
# by side; each writes test-results/NAME-N.json of the build folder.
function(nucleus_tests name)
  cmake_parse_arguments(ARG "" "SHARDS" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    return()
  endif()
  add_executable(nucleus-${name}-tests ${sources})
  nucleus_join_sources(nucleus-${name}-tests ${sources})
  target_link_libraries(nucleus-${name}-tests PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  # Only the shipped code, which is linked in, needs optimization.
  target_compile_options(nucleus-${name}-tests PRIVATE -O0)
  nucleus_add_test(${name} "${ARG_SHARDS}")
endfunction()

# nucleus_add_test(NAME N): the program nucleus-NAME-tests as N tests of ctest; empty = 1.
function(nucleus_add_test name count)
  if(NOT count)
    set(count 1)
  endif()
  foreach(number RANGE 1 ${count})
    math(EXPR index "${number} - 1")
    add_test(NAME ${name}-${number} COMMAND nucleus-${name}-tests --gtest_brief=1)
    set(results "json:${PROJECT_BINARY_DIR}/test-results/${name}-${number}.json")
    set_tests_properties(${name}-${number} PROPERTIES LABELS ${name} TIMEOUT 1200 ENVIRONMENT
      "GTEST_TOTAL_SHARDS=${count};GTEST_SHARD_INDEX=${index};GTEST_OUTPUT=${results}")
  endforeach()
endfunction()
