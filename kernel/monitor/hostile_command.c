// `hostile`: random programs in ring 3, and what came of them.
#include "monitor/hostile_command.h"

#include <stdbool.h>

#include "hostile/hostile.h"
#include "hostile/totals.h"
#include "hostile/world.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/words.h"
#include "report/report.h"
#include "trap/vectors.h"

#define NUMBER_LIMIT   1000000000u
#define PROGRESS       1000u // programs between two words of progress
#define FINDINGS_SHOWN 10u
#define BYTES_PER_ROW  24
#define KINDS_PER_ROW  3

struct request {
    unsigned count, seed, first;
    bool has_code, is_mutated;
    uint8_t code[PROGRAM_SIZE];
    size_t size;
};

static uint64_t findings;

/// Read @text, two hexadecimal digits a byte.
static bool parse_code(const char *text, struct request *request)
{
    char digits[] = "0x00";
    for (request->size = 0; text[0] && text[1]; text += 2) {
        unsigned byte;
        digits[2] = text[0];
        digits[3] = text[1];
        if (request->size == PROGRAM_SIZE || !parse_number(digits, 256, &byte))
            return false;
        request->code[request->size++] = (uint8_t)byte;
    }
    return request->size > 0 && !text[0];
}

static bool parse(char *text, struct request *request)
{
    *request = (struct request){.seed = 1};
    if (!parse_number(cut_word(&text), NUMBER_LIMIT, &request->count) || request->count == 0)
        return false;
    if (text[0] && !parse_number(cut_word(&text), NUMBER_LIMIT, &request->seed))
        return false;
    if (text[0] && !parse_number(cut_word(&text), NUMBER_LIMIT, &request->first))
        return false;
    request->has_code = text[0];
    request->is_mutated = text[0] == '~';
    return !text[0] || parse_code(cut_word(&text) + request->is_mutated, request);
}

static void print_kinds(const struct program *program)
{
    size_t column = 0;
    print("has    ");
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if (!program_is(program, kind))
            continue;
        print("%s%s %s", column > 0 ? "," : "",
              column > 0 && column % KINDS_PER_ROW == 0 ? "\n       " : "", kind_name(kind));
        column++;
    }
    print("\n");
}

static void print_start(const struct program *program)
{
    print("code   ");
    for (size_t i = 0; i < program->size; i++)
        print("%s %02x", i > 0 && i % BYTES_PER_ROW == 0 ? "\n       " : "", program->code[i]);
    print("\n");
    print_kinds(program);
    print("starts with\n");
    struct regs start = program->start;
    start.rip = world_rip(program);
    report_regs(&start);
}

static void print_ending(const struct ending *ending)
{
    print("ends with\n");
    report_event(&ending->regs);
    if (ending->regs.vector == VECTOR_PF)
        print("CR2     0x%016lx\n", ending->cr2);
    report_regs(&ending->regs);
}

static void run(const struct request *request, unsigned number)
{
    static struct program program;
    program_make(&program, request->seed, number);
    if (request->has_code)
        program_set_code(&program, request->code, request->size);
    if (request->is_mutated)
        program_mutate(&program);
    if (request->count == 1)
        print_start(&program);
    const struct ending *ending = hostile_run(&program);
    totals_count(&program, ending);
    if (ending->finding[0] && findings++ < FINDINGS_SHOWN)
        print("hostile: finding program=%u %s\n", number, ending->finding);
    if (request->count == 1)
        print_ending(ending);
}

void command_hostile(char *argument)
{
    struct request request;
    if (!parse(argument, &request)) {
        print("`hostile` takes a number of programs, a seed, and the first one's number, all\n"
              "below %u: `hostile 1000`, `hostile 1000 7`, `hostile 1 7 42`. Then\n"
              "their code, or ~ and what is to be mutated: `hostile 1 7 42 0f0b`,\n"
              "`hostile 1000 7 42 ~0f0b`.\n",
              NUMBER_LIMIT);
        command_failed();
        return;
    }
    totals_forget();
    findings = 0;
    hostile_begin();
    for (unsigned i = 0; i < request.count; i++) {
        if (i > 0 && i % PROGRESS == 0)
            print("hostile: %u of %u\n", i, request.count);
        run(&request, request.first + i);
    }
    hostile_end();
    totals_print();
    print("hostile: programs=%u seed=%u first=%u findings=%lu\n", request.count, request.seed,
          request.first, findings);
    if (findings > 0)
        command_failed();
}
