// A C function that saves all that it changes, so that a stub in assembly need not save it.
volatile unsigned long ticks;

__attribute__((no_caller_saved_registers)) void gentle(void)
{
    ticks = ticks * 3; // takes a register, which `ticks + 1` need not
}
