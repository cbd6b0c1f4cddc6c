/* Print the curve of a schedule, one step and its rate a line, tab-separated: for gnuplot, a spreadsheet, or `diff`.

   python -m tracelr lower examples/digits.yaml --target c -o examples/c/lr.h
   cc -std=c99 -O2 examples/c/curve.c -o curve -lm
   ./curve 2000 100                                  # from 0 to 2000, every 100 steps
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lr.h"

int main(int argc, char **argv)
{
    const int64_t last = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000;
    const int64_t every = argc > 2 ? strtoll(argv[2], NULL, 10) : 1;
    if (last < 0 || every < 1) {
        fprintf(stderr, "usage: %s [last step] [every how many steps]\n", argv[0]);
        return 2;
    }
    for (int64_t step = 0; step <= last; step += every) {
        printf("%" PRId64 "\t%.9g\n", step, (double)lr(step)); /* nine digits tell any two floats apart */
    }
    return 0;
}
