/* SPDX-License-Identifier: MIT */
/*
 * Files that a killed run has left behind: those under names that it gives until a file is whole.
 * They are told by the mark in their names, which no other job shares. To be called before a run of
 * the same job begins, and by nobody while one goes on.
 */
#ifndef CLI_LEFTOVERS_H
#define CLI_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Removes them from a directory, and from all below it when `deep`; no symbolic link is followed
 * but `directory` itself. Returns how many. What cannot be read or removed stays.
 */
uint64_t leftovers_remove(const char *directory, bool deep, uint64_t mark);

/*
 * Removes those that were to become the file at `path`, which bear no mark but its name. What a job
 * with the same output makes at this moment is taken for one.
 */
uint64_t leftovers_remove_of(const char *path);

#endif
