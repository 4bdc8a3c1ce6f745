"""The auditor's side: checks a journal without any code of the kernel that wrote it."""
