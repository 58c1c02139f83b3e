# What people type. Each target is the script of its name in .make/, which reads
# E, L and the other variables from its environment.

#: Learn
#:   make check            grade what you have changed, and say what is next;
#:                         with ALL=1 all that you have started
#:   make check E=01       grade exercise 01 alone; with V=1 explain every
#:                         failure, with SEED=n repeat the inputs of that run
#:   make check E=01 SANITIZE=address
#:                         look for mistakes with memory, too; or undefined:
#:                         what C++ leaves undefined; or thread: data races
#:   make watch            grade on every save, with keys for hints; E=01 says
#:                         where to begin
#:   make hint E=01        show the next hint of the first unfinished task
#:   make diff E=01        compare with the solution, once yours passes
#:   make reset E=01       put the skeleton back; your files are saved aside
#:   make progress         show how far you are in the course
#:   make debug E=01 T=AddsTwoNumbers
#:                         step through your program while a test calls it
#:   make run L=01         run lesson 01's server and client; ARGS="Ada" are
#:                         the client's arguments
#:
#: Work on the workshop
#:   make test             prove it: every suite, lesson, and the grader itself
#:   make test PRESET=asan the same with sanitizers; PRESET=gcc: by g++
#:   make sanitize         prove that SANITIZE= finds what is wrong, and nothing
#:                         in any solution
#:   make soak             repeat the lessons' tests and the suites, 50 times or
#:                         N=n, with all cores busy; E=03 or L=03: only that
#:   make bench            measure how long a learner waits; RUNS=n
#:   make new-exercise N=11 NAME=rate_limits
#:                         make an exercise; CONTRIBUTING.md says how to go on
#:   make slides           build the slides into build/slides
#:   make slides-watch     serve them on localhost, made anew on each change
#:   make slides-test      look at each slide: does it fit, can it be read
#:   make format           lay out the sources as the style asks
#:   make precommit        check style and spelling, as CI does
#:
#:   make setup            install what is missing; all of the above do it first
#:   make clean            remove the build folder

# A target ends with 1 if something is wrong, with 2 if it could not be tried.
# make would turn both into 2. Only under -q does it pass on the 1, of a recipe
# line marked with +, which -q runs all the same. -n stays what it is.
ifeq (,$(findstring n,$(firstword -$(MAKEFLAGS))))
MAKEFLAGS += -q
run := +@
endif
unexport MAKEFLAGS

targets := check watch hint diff reset progress debug run test sanitize soak \
  bench new-exercise slides slides-watch slides-test format precommit setup \
  clean
.PHONY: help $(targets)
help:
	$(run)sed -n 's/^#: \{0,1\}//p' Makefile
$(targets):
	$(run).make/$@
