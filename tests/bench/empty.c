// Measures the cost of starting any program.
int main(void) {
  return 0;
}
